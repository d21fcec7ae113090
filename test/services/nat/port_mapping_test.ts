import assert from "node:assert/strict";
import { systemRandom } from "../../../src/base/mod.ts";
import {
  createNatPmpClient,
  createUpnpClient,
  openUdpSocket,
  type PeerInfo,
  type SocketAddress,
} from "../../../src/core/transport/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { askGatewayByHttp } from "../../../src/services/nat/gateway_http.ts";
import {
  type PortMapMachine,
  type PortMapMode,
  type PortMappingDeps,
  PortMappingService,
  type ReflexOverride,
} from "../../../src/services/nat/mod.ts";
import { HOST, HttpGateway, UdpGateway } from "../../core/transport/port_mapping/gateway_kit.ts";
import { searchAnswer } from "../../core/transport/port_mapping/upnp_words.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

const HEADING = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT";
/** The gateway 127.0.0.1 behind the interface lo. */
const ROUTES = `${HEADING}\nlo 00000000 0100007F 0003 0 0 0 00000000 0 0 0\n`;
const LOOPBACK = { name: "lo", family: "IPv4", address: HOST, netmask: "255.0.0.0" };

/** A NAT-PMP gateway whose outside is 198.51.100.7. */
function natPmpGateway(): UdpGateway {
  return new UdpGateway((bytes) => {
    if (bytes[1] === 0) return [Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 9, 198, 51, 100, 7)];
    const answer = new Uint8Array(16);
    answer[1] = 129;
    answer.set(bytes.subarray(4, 8), 8);
    answer.set(bytes.subarray(8, 12), 12);
    return [answer];
  });
}

class Kit {
  readonly clock = new ManualClock();
  readonly metrics = createMetricRegistry();
  readonly told: string[] = [];
  reflex: SocketAddress | undefined;
  stated: ReflexOverride | undefined;
  peers: Partial<PeerInfo>[] = [];
  local: SocketAddress = { host: "0.0.0.0", port: 4000 };
  machine: PortMapMachine = {
    readRoutes: () => Promise.resolve(ROUTES),
    interfaces: () => [LOOPBACK],
    openSocket: openUdpSocket,
    http: askGatewayByHttp,
  };

  service(mode: PortMapMode, clients?: PortMappingDeps["clients"]): PortMappingService {
    const localOf = () => this.local;
    const reflexOf = () => this.reflex;
    const statedOf = () => this.stated;
    const transport = {
      get localAddress() {
        return localOf();
      },
      peers: () => this.peers as PeerInfo[],
    };
    return new PortMappingService({
      clock: this.clock,
      log: silentLog,
      metrics: this.metrics,
      random: systemRandom,
      mesh: { transport },
      nat: {
        get reflexAddress() {
          return reflexOf();
        },
        get reflexOverride() {
          return statedOf();
        },
        setReflexOverride: ({ host, port }, source) =>
          void this.told.push(`set ${host}:${port} ${source}`),
        clearReflexOverride: () => void this.told.push("cleared"),
        notePortMapping: ({ external, renewals }) =>
          void this.told.push(`noted ${external?.port} ${renewals}`),
      },
      machine: this.machine,
      clients,
    }, { mode });
  }

  /** Waits for sockets that are real. */
  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Only NAT-PMP, at a gateway of pretence. */
function natPmpAt(port: number): PortMappingDeps["clients"] {
  return (deps) => [createNatPmpClient(deps, { port, isExternal: () => true })];
}

Deno.test("PortMappingService maps the mesh's port, renews it, and takes it back", async () => {
  await using gateway = natPmpGateway();
  const kit = new Kit();
  const service = kit.service("on", natPmpAt(gateway.port));
  await service.start();
  await kit.until(() => service.report().state === "active");
  assert.deepEqual(kit.told, ["set 198.51.100.7:4000 port_mapping", "noted 4000 0"]);
  assert.deepEqual(service.report(), {
    mode: "on",
    state: "active",
    external: "198.51.100.7:4000",
    protocol: "nat-pmp",
    gateway: HOST,
    lease_secs: 3600,
    renewals: 0,
    attempts: [
      { protocol: "nat-pmp", ok: true, reason: null, detail: "198.51.100.7:4000 leads here" },
    ],
  });
  await kit.clock.advance(30 * 60_000);
  await kit.until(() => service.report().renewals === 1);
  assert.equal(kit.told.at(-1), "noted 4000 1");
  assert.equal(kit.metrics.snapshot().net_port_mapping_active, 1);
  assert.equal(kit.metrics.snapshot().net_port_mapping_renewals_total, 1);
  await service.stop();
  assert.deepEqual(kit.told.slice(-2), ["cleared", "noted undefined 1"]);
  // The last request has a lease of 0.
  assert.equal(gateway.heard.at(-1)?.slice(8).toHex(), "00000000");
});

Deno.test("PortMappingService goes on to UPnP where nobody answers NAT-PMP", async () => {
  await using silent = new UdpGateway(() => []);
  await using http = new HttpGateway();
  await using ssdp = new UdpGateway(() => [searchAnswer(http.location)]);
  const kit = new Kit();
  const service = kit.service("on", (deps) => [
    createNatPmpClient(deps, { port: silent.port, isExternal: () => true }),
    createUpnpClient(deps, {
      searchAddress: { host: HOST, port: ssdp.port },
      isExternal: () => true,
    }),
  ]);
  await service.start();
  await silent.untilHeard(1);
  await kit.clock.advance(1_000);
  await kit.until(() => service.report().state === "active");
  assert.deepEqual(service.report().attempts.map(({ protocol, reason }) => [protocol, reason]), [
    ["nat-pmp", "silent"],
    ["upnp", null],
  ]);
  await service.stop();
  assert.equal(http.calls.at(-1)?.action, "DeletePortMapping");
});

Deno.test("PortMappingService in mode auto asks nobody while all peers are near", async () => {
  await using gateway = natPmpGateway();
  const kit = new Kit();
  kit.peers = [{ address: { host: "192.168.1.9", port: 1 } }];
  const service = kit.service("auto", natPmpAt(gateway.port));
  await service.start();
  await kit.clock.advance(60_000);
  kit.reflex = { host: HOST, port: 4000 };
  await kit.clock.advance(60_000);
  assert.equal(service.report().state, "idle");
  assert.equal(gateway.heard.length, 0);
  // Now somebody sees it elsewhere than it is; which does not count where an operator says where it is.
  kit.reflex = { host: "198.51.100.7", port: 61_000 };
  kit.stated = { address: kit.reflex, source: "operator" };
  await kit.clock.advance(60_000);
  assert.equal(gateway.heard.length, 0);
  kit.stated = undefined;
  await kit.clock.advance(2_000);
  await kit.until(() => service.report().state === "active");
  await service.stop();
});

Deno.test("PortMappingService in mode auto asks for the sake of a peer in the internet", async () => {
  await using gateway = natPmpGateway();
  const kit = new Kit();
  kit.peers = [{ address: { host: "9.9.9.9", port: 1 } }];
  const service = kit.service("auto", natPmpAt(gateway.port));
  await service.start();
  await kit.clock.advance(2_000);
  await kit.until(() => service.report().state === "active");
  await service.stop();
});

Deno.test("PortMappingService that is off does nothing", async () => {
  const kit = new Kit();
  kit.reflex = { host: "198.51.100.7", port: 61_000 };
  const service = kit.service("off");
  await service.start();
  await kit.clock.advance(60_000);
  assert.equal(service.report().state, "off");
  await service.stop();
  assert.deepEqual(kit.told, []);
});

const route = (gateway: string, name = "lo") =>
  `${HEADING}\n${name} 00000000 ${gateway} 0003 0 0 0 00000000 0 0 0\n`;

for (
  const [what, change, message] of [
    ["no table of routes", {
      readRoutes: () => Promise.reject(new Deno.errors.NotFound("no such file")),
    }, /does not say/],
    ["no default route", { readRoutes: () => Promise.resolve(HEADING) }, /no default gateway/],
    ["a gateway in the internet", {
      readRoutes: () => Promise.resolve(route("09090909")),
    }, /9\.9\.9\.9 has no private address/],
    ["no address near the gateway", {
      readRoutes: () => Promise.resolve(route("0101A8C0")),
    }, /no address in the network/],
    ["another interface", {
      readRoutes: () => Promise.resolve(route("0100007F", "eth7")),
    }, /eth7 has no address/],
  ] as const
) {
  Deno.test(`PortMappingService says so where there is ${what}`, async () => {
    const kit = new Kit();
    kit.machine = { ...kit.machine, ...change };
    const service = kit.service("on", () => []);
    await service.start();
    await kit.clock.advance(0);
    const [attempt] = service.report().attempts;
    assert.deepEqual([attempt?.ok, attempt?.reason], [false, "no-gateway"]);
    assert.match(attempt?.detail ?? "", message);
    assert.equal(service.report().state, "waiting");
    assert.equal(service.health().state, "degraded");
    await service.stop();
  });
}

Deno.test("PortMappingService maps nothing that only another address hears", async () => {
  const kit = new Kit();
  kit.local = { host: "10.9.9.9", port: 4000 };
  const service = kit.service("on", () => []);
  await service.start();
  await kit.clock.advance(0);
  assert.match(service.report().attempts[0]?.detail ?? "", /bound to 10\.9\.9\.9/);
  await service.stop();
});
