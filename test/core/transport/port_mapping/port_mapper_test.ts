import assert from "node:assert/strict";
import {
  type GatewayPlace,
  type PortMapClient,
  PortMapError,
  PortMapper,
  type PortMapping,
  type PortMapProtocol,
  type PortMapReason,
  type PortMapRequest,
} from "../../../../src/core/transport/mod.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";

const HOME: GatewayPlace = { gateway: "192.168.1.1", internalHost: "192.168.1.20" };
const MINUTE_MS = 60_000;

/** A gateway's answer to one request, or why there is none. */
type Script = (request: PortMapRequest) => Partial<PortMapping> | PortMapReason;

class Kit {
  readonly clock = new ManualClock();
  readonly told: string[] = [];
  readonly requests: PortMapRequest[] = [];
  readonly unmapped: PortMapping[] = [];
  place: GatewayPlace | undefined = HOME;
  readonly mapper: PortMapper;

  constructor(scripts: Partial<Record<PortMapProtocol, Script>>) {
    const clients = (Object.keys(scripts) as PortMapProtocol[]).map((protocol) =>
      this.#client(protocol, scripts[protocol] ?? (() => "silent"))
    );
    this.mapper = new PortMapper({
      clock: this.clock,
      clients,
      locate: () =>
        this.place === undefined
          ? Promise.reject(new PortMapError("no-gateway", "there is no gateway"))
          : Promise.resolve(this.place),
      onMapped: ({ external }) => void this.told.push(`${external.host}:${external.port}`),
      onLost: (_mapping, why) => void this.told.push(why),
    }, 4000);
  }

  async settle(): Promise<void> {
    await this.clock.advance(0);
  }

  #client(protocol: PortMapProtocol, script: Script): PortMapClient {
    return {
      protocol,
      map: (request) => {
        this.requests.push(request);
        const answer = script(request);
        if (typeof answer === "string") {
          return Promise.reject(new PortMapError(answer, `no ${protocol}`));
        }
        const { gateway, internalHost, internalPort, externalPort, leaseSeconds } = request;
        return Promise.resolve({
          protocol,
          external: { host: "203.0.113.5", port: externalPort },
          internalHost,
          internalPort,
          gateway,
          leaseSeconds,
          ...answer,
        });
      },
      unmap: (mapping) => {
        this.unmapped.push(mapping);
        return Promise.resolve();
      },
    };
  }
}

Deno.test("PortMapper tries the languages in sequence and says what each said", async () => {
  const kit = new Kit({ pcp: () => "unsupported", "nat-pmp": () => "silent", upnp: () => ({}) });
  kit.mapper.start();
  await kit.settle();
  assert.equal(kit.mapper.state, "active");
  assert.deepEqual(kit.mapper.attempts.map(({ protocol, reason }) => [protocol, reason]), [
    ["pcp", "unsupported"],
    ["nat-pmp", "silent"],
    ["upnp", undefined],
  ]);
  assert.deepEqual(kit.told, ["203.0.113.5:4000"]);
  await kit.mapper.stop();
  assert.deepEqual(kit.unmapped.map(({ external }) => external.port), [4000]);
  assert.deepEqual(kit.told, ["203.0.113.5:4000", "it was taken back"]);
  assert.equal(kit.mapper.mapping, undefined);
});

Deno.test("PortMapper renews every 30 minutes, for the same port", async () => {
  const kit = new Kit({
    pcp: ({ externalPort }) => ({
      external: { host: "203.0.113.5", port: externalPort === 4000 ? 4100 : externalPort },
    }),
  });
  kit.mapper.start();
  await kit.clock.advance(29 * MINUTE_MS);
  assert.equal(kit.requests.length, 1);
  await kit.clock.advance(MINUTE_MS);
  assert.deepEqual(kit.requests.map(({ externalPort }) => externalPort), [4000, 4100]);
  await kit.clock.advance(60 * MINUTE_MS);
  assert.equal(kit.mapper.renewals, 3);
  // Whoever uses the mapping hears nothing while it stays the same.
  assert.deepEqual(kit.told, ["203.0.113.5:4100"]);
  await kit.mapper.stop();
});

Deno.test("PortMapper tells when a renewal gives another address", async () => {
  let port = 4000;
  const kit = new Kit({ pcp: () => ({ external: { host: "203.0.113.5", port: port++ } }) });
  kit.mapper.start();
  await kit.clock.advance(30 * MINUTE_MS);
  assert.deepEqual(kit.told, ["203.0.113.5:4000", "203.0.113.5:4001"]);
  await kit.mapper.stop();
});

Deno.test("PortMapper drops a mapping after three failures in a row, within its lease", async () => {
  let isUp = true;
  const kit = new Kit({ "nat-pmp": () => isUp ? {} : "silent" });
  kit.mapper.start();
  await kit.settle();
  isUp = false;
  await kit.clock.advance(39 * MINUTE_MS);
  assert.equal(kit.mapper.state, "active");
  await kit.clock.advance(MINUTE_MS);
  assert.deepEqual(kit.told, ["203.0.113.5:4000", "renewing it failed 3 times"]);
  assert.equal(kit.mapper.state, "waiting");
  isUp = true;
  await kit.clock.advance(10 * MINUTE_MS);
  assert.equal(kit.mapper.state, "active");
  await kit.mapper.stop();
});

Deno.test("PortMapper forgives failures that are not in a row", async () => {
  let count = 0;
  const kit = new Kit({ "nat-pmp": () => count++ % 3 === 0 ? {} : "silent" });
  kit.mapper.start();
  await kit.clock.advance(6 * 60 * MINUTE_MS);
  assert.deepEqual(kit.told, ["203.0.113.5:4000"]);
  assert.ok(kit.mapper.renewals > 5);
  await kit.mapper.stop();
});

for (const [leaseSeconds, everyMs] of [[600, 300_000], [1, 60_000], [0, 1_800_000]] as const) {
  Deno.test(`PortMapper renews a lease of ${leaseSeconds} s after ${everyMs} ms`, async () => {
    const kit = new Kit({ upnp: () => ({ leaseSeconds }) });
    kit.mapper.start();
    await kit.clock.advance(everyMs - 1);
    assert.equal(kit.requests.length, 1);
    await kit.clock.advance(1);
    assert.equal(kit.requests.length, 2);
    await kit.mapper.stop();
  });
}

Deno.test("PortMapper asks again with growing pauses where nobody grants anything", async () => {
  const kit = new Kit({ pcp: () => "refused" });
  kit.mapper.start();
  const at: number[] = [];
  for (let minute = 0; minute < 200; minute++) {
    const before = kit.requests.length;
    await kit.clock.advance(MINUTE_MS);
    if (kit.requests.length > before) at.push(minute + 1);
  }
  assert.deepEqual(at, [1, 10, 30, 70, 130, 190]);
  assert.deepEqual(kit.told, []);
  await kit.mapper.stop();
  assert.deepEqual(kit.unmapped, []);
});

Deno.test("PortMapper asks nobody without a gateway, and notices when there is one", async () => {
  const kit = new Kit({ pcp: () => ({}) });
  kit.place = undefined;
  kit.mapper.start();
  await kit.settle();
  assert.deepEqual(kit.mapper.attempts, [
    { protocol: undefined, reason: "no-gateway", detail: "there is no gateway" },
  ]);
  assert.equal(kit.requests.length, 0);
  kit.place = HOME;
  await kit.clock.advance(10 * MINUTE_MS);
  assert.equal(kit.mapper.state, "active");
  await kit.mapper.stop();
});

Deno.test("PortMapper starts over where this machine moves to another network", async () => {
  const kit = new Kit({ pcp: () => ({}) });
  kit.mapper.start();
  await kit.settle();
  kit.place = { gateway: "10.0.0.1", internalHost: "10.0.0.9" };
  await kit.clock.advance(MINUTE_MS);
  assert.deepEqual(kit.told, [
    "203.0.113.5:4000",
    "this machine moved to another network",
    "203.0.113.5:4000",
  ]);
  assert.equal(kit.requests[1]?.gateway, "10.0.0.1");
  kit.place = undefined;
  await kit.clock.advance(MINUTE_MS);
  assert.equal(kit.mapper.state, "waiting");
  await kit.mapper.stop();
});

Deno.test("PortMapper takes back what is granted after its end", async () => {
  const granted = Promise.withResolvers<void>();
  const unmapped: PortMapping[] = [];
  const clock = new ManualClock();
  const mapper = new PortMapper({
    clock,
    clients: [{
      protocol: "pcp",
      map: async ({ gateway, internalHost, internalPort, leaseSeconds }) => {
        await granted.promise;
        const external = { host: "203.0.113.5", port: 1 };
        return { protocol: "pcp", external, internalHost, internalPort, gateway, leaseSeconds };
      },
      unmap: (mapping) => Promise.resolve(void unmapped.push(mapping)),
    }],
    locate: () => Promise.resolve(HOME),
    onMapped: () => assert.fail("nobody waits for it"),
    onLost: () => assert.fail("nobody had it"),
  }, 4000);
  mapper.start();
  await clock.advance(0);
  await mapper.stop();
  await mapper.stop();
  granted.resolve();
  await clock.advance(0);
  assert.equal(unmapped.length, 1);
  assert.equal(mapper.state, "stopped");
});

Deno.test("PortMapper waits for a silent gateway at its end, but not for long", async () => {
  const clock = new ManualClock();
  const mapper = new PortMapper({
    clock,
    clients: [{
      protocol: "upnp",
      map: ({ gateway, internalHost, internalPort }) =>
        Promise.resolve({
          protocol: "upnp",
          external: { host: "203.0.113.5", port: 1 },
          internalHost,
          internalPort,
          gateway,
          leaseSeconds: 0,
        }),
      unmap: (_mapping, { signal } = {}) =>
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
    }],
    locate: () => Promise.resolve(HOME),
    onMapped: () => {},
    onLost: () => {},
  }, 4000);
  mapper.start();
  await clock.advance(0);
  const stopped = mapper.stop();
  await clock.advance(1_500);
  await stopped;
});
