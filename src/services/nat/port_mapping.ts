/**
 * Port mapping as a service (`nrpc.md` 16): asks the gateway for a port when this node stands behind a
 * NAT, tells the service that finds ways what was granted, takes it back at the end.
 *
 * In mode `auto` no gateway is asked before a peer outside the local network shows that there is a need:
 * a node whose peers are all near never opens anything at its router.
 */
import {
  type Clock,
  formatSocketAddress,
  type RandomBytes,
  repeat,
  type SocketAddress,
} from "../../base/mod.ts";
import {
  createNatPmpClient,
  createPcpClient,
  createPortMapCounters,
  createUpnpClient,
  type DatagramSocket,
  type ExchangeDeps,
  formatAddress,
  type GatewayHttp,
  type GatewayPlace,
  isLocalIpv4,
  isPublicIpv4,
  type MeshTransport,
  type NatTraversal,
  parseDefaultRoute,
  type PortMapClient,
  PortMapError,
  PortMapper,
  type PortMapping,
} from "../../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import type { NatService } from "./nat_service.ts";

/** When the gateway is asked: when there is a need, always, or never. */
export type PortMapMode = "auto" | "on" | "off";

/** What of the machine the service looks at. */
export interface PortMapMachine {
  /** Text of the table of IPv4 routes; rejects where the system has none. */
  readRoutes(): Promise<string>;
  interfaces(): readonly {
    readonly name: string;
    readonly family: string;
    readonly address: string;
    readonly netmask: string;
  }[];
  openSocket(local: SocketAddress): DatagramSocket;
  readonly http: GatewayHttp;
}

/** What {@linkcode PortMappingService} needs. */
export interface PortMappingDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly random: RandomBytes;
  readonly mesh: { readonly transport: Pick<MeshTransport, "localAddress" | "peers"> };
  readonly nat:
    & Pick<
      NatTraversal,
      "reflexAddress" | "setReflexOverride" | "clearReflexOverride" | "notePortMapping"
    >
    & Pick<NatService, "reflexOverride">;
  readonly machine: PortMapMachine;
  /** The languages, in the order they are tried; all of them when left out. */
  readonly clients?: (
    deps: ExchangeDeps & { readonly random: RandomBytes; readonly http: GatewayHttp },
  ) => readonly PortMapClient[];
}

/** What is known of the mapping, for people. */
export interface PortMapReport {
  readonly mode: PortMapMode;
  /** `idle` while mode `auto` sees no need. */
  readonly state: "off" | "idle" | "trying" | "active" | "waiting";
  readonly external: string | null;
  readonly protocol: string | null;
  readonly gateway: string | null;
  /** 0 for a mapping that never ends by itself. */
  readonly lease_secs: number | null;
  readonly renewals: number;
  /** The last round: what each language came to. */
  readonly attempts: readonly {
    readonly protocol: string | null;
    readonly ok: boolean;
    readonly reason: string | null;
    readonly detail: string;
  }[];
}

/** How often mode `auto` looks whether there is a need. */
const NEED_LOOK_MS = 2_000;

/** Maps the mesh's port at the gateway. */
export class PortMappingService implements Service {
  readonly name = "port_mapping";
  readonly #deps: PortMappingDeps;
  readonly #mode: PortMapMode;
  readonly #counters = createPortMapCounters();
  #mapper: PortMapper | undefined;
  #stopLooking = () => {};
  #isStopping = false;

  constructor(deps: PortMappingDeps, options: { readonly mode: PortMapMode }) {
    this.#deps = deps;
    this.#mode = options.mode;
    deps.metrics.register("port_mapping", () => ({
      ...this.#counters,
      active: this.#mapper?.mapping === undefined ? 0 : 1,
      renewals_total: this.#mapper?.renewals ?? 0,
    }));
  }

  start(): Promise<void> {
    this.#isStopping = false;
    if (this.#mode === "on") this.#begin();
    else if (this.#mode === "auto") {
      this.#stopLooking = repeat(this.#deps.clock, NEED_LOOK_MS, () => {
        if (this.#isNeeded()) this.#begin();
      });
    }
    return Promise.resolve();
  }

  /** Takes the mapping back; waits for the gateway 1.5 s at most. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopLooking();
    await this.#mapper?.stop();
  }

  /** Who asked for a port must hear that there is none; where it is only tried, there may be none to be had. */
  health(): ServiceHealth {
    const isRefused = this.#mode === "on" && this.#mapper?.state === "waiting";
    return isRefused
      ? { state: "degraded", detail: "the gateway opens no port: see net doctor" }
      : { state: "healthy" };
  }

  /** What there is, and how asking went. */
  report(): PortMapReport {
    const mapper = this.#mapper;
    const mapping = mapper?.mapping;
    const idle = this.#mode === "auto" ? "idle" : "off";
    return {
      mode: this.#mode,
      state: mapper === undefined || mapper.state === "stopped" ? idle : mapper.state,
      external: mapping === undefined ? null : formatAddress(mapping.external),
      protocol: mapping?.protocol ?? null,
      gateway: mapping?.gateway ?? null,
      lease_secs: mapping?.leaseSeconds ?? null,
      renewals: mapper?.renewals ?? 0,
      attempts: (mapper?.attempts ?? []).map(({ protocol, reason, detail }) => ({
        protocol: protocol ?? null,
        ok: reason === undefined,
        reason: reason ?? null,
        detail,
      })),
    };
  }

  /** A peer sees this node at an address that it does not have, or stands in the internet itself. */
  #isNeeded(): boolean {
    const { mesh, nat, machine } = this.#deps;
    // Who stated an address otherwise has forwarded the port already.
    if (nat.reflexOverride !== undefined) return false;
    const reflex = nat.reflexAddress;
    if (reflex !== undefined) {
      return machine.interfaces().every(({ address }) => address !== reflex.host);
    }
    return mesh.transport.peers().some(({ address }) => isPublicIpv4(address.host)) &&
      machine.interfaces().every(({ address }) => !isPublicIpv4(address));
  }

  #begin(): void {
    this.#stopLooking();
    const { clock, random, mesh, nat, log, machine } = this.#deps;
    const deps = {
      clock,
      random,
      counters: this.#counters,
      openSocket: (local: SocketAddress) => machine.openSocket(local),
      http: machine.http,
    };
    const clients = (this.#deps.clients ?? allClients)(deps);
    const mapper = this.#mapper = new PortMapper({
      clock,
      clients,
      locate: () => locate(machine, mesh.transport.localAddress.host),
      onMapped: (mapping) => {
        log.info("port_mapped", describe(mapping));
        nat.setReflexOverride(mapping.external, "port_mapping");
        note();
      },
      onLost: (mapping, why) => {
        const level = this.#isStopping ? "info" : "warn";
        log[level]("port_mapping_lost", { ...describe(mapping), reason: why });
        nat.clearReflexOverride();
        note();
      },
      onRenewed: () => note(),
    }, mesh.transport.localAddress.port);
    const note = () => {
      const { mapping, renewals } = mapper;
      nat.notePortMapping({ external: mapping?.external, renewals });
    };
    mapper.start();
  }
}

function allClients(deps: Parameters<typeof createUpnpClient>[0]): readonly PortMapClient[] {
  return [createPcpClient(deps), createNatPmpClient(deps), createUpnpClient(deps)];
}

/**
 * The default gateway, and this machine's address towards it.
 *
 * @param boundHost Where the mesh is bound; what only one address hears is not mapped to another one.
 * @throws PortMapError `no-gateway`.
 */
async function locate(machine: PortMapMachine, boundHost: string): Promise<GatewayPlace> {
  let text: string;
  try {
    text = await machine.readRoutes();
  } catch (cause) {
    throw new PortMapError("no-gateway", "this system does not say what its gateway is", { cause });
  }
  const route = parseDefaultRoute(text);
  if (route === undefined) throw new PortMapError("no-gateway", "there is no default gateway");
  const { gateway, interfaceName } = route;
  if (!isLocalIpv4(gateway)) {
    const message = `the gateway ${gateway} has no private address: it is no router of a home`;
    throw new PortMapError("no-gateway", message);
  }
  const own = machine.interfaces().find(({ name, family, address, netmask }) =>
    name === interfaceName && family === "IPv4" && isSameSubnet(address, gateway, netmask)
  );
  if (own === undefined) {
    const message = `${interfaceName} has no address in the network of the gateway ${gateway}`;
    throw new PortMapError("no-gateway", message);
  }
  const isEverywhere = boundHost === "0.0.0.0" || boundHost === "::";
  if (!isEverywhere && boundHost !== own.address) {
    const message =
      `the mesh is bound to ${boundHost}, which the gateway ${gateway} does not reach`;
    throw new PortMapError("no-gateway", message);
  }
  return { gateway, internalHost: own.address };
}

function isSameSubnet(left: string, right: string, netmask: string): boolean {
  const [a, b, mask] = [left, right, netmask].map((text) => text.split(".").map(Number));
  return mask?.length === 4 &&
    mask.every((bits, i) => ((a?.[i] ?? 0) & bits) === ((b?.[i] ?? 0) & bits));
}

function describe({ protocol, external, internalPort, gateway, leaseSeconds }: PortMapping) {
  return {
    protocol,
    external: formatSocketAddress(external),
    port: internalPort,
    gateway,
    lease_secs: leaseSeconds,
  };
}
