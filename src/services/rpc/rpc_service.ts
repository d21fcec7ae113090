/**
 * The call service: what this node calls, and what it serves (`nrpc.md`). It makes the engines of both sides and
 * the links they work on, and ties them to sessions, channels, announcements and gates.
 */
import { type Clock, NetError, type RandomBytes } from "../../base/mod.ts";
import type { PeerFacts } from "../../channel/mod.ts";
import type { Identity } from "../../core/crypto/mod.ts";
import { SESSION_TIMEOUT_MS } from "../../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { CounterSet, Log, MetricRegistry } from "../../observe/mod.ts";
import {
  type CallOptions,
  type CancelTokens,
  type ClientStreamCall,
  type ClientStreamHandler,
  createLinkCounters,
  type DuplexCall,
  type DuplexHandler,
  JoinBudget,
  type Rpc,
  RpcClient,
  RpcMetrics,
  type RpcResponses,
  RpcServer,
  type ServeHandle,
  type ServeOptions,
  type ServerLinks,
  ServiceCaller,
  ServiceDirectory,
  serviceTag,
  type StreamHandler,
  type UnaryHandler,
} from "../../rpc/mod.ts";
import { Allowances } from "./allowances.ts";
import { PeerClientLinks } from "./client_links.ts";
import { LoopbackLinks } from "./loopback_links.ts";
import type { LinkParts, RpcAnnouncements, RpcChannels, RpcTransport } from "./rpc_parts.ts";
import { PeerServerLinks } from "./server_links.ts";
import { SilenceWatch } from "./silence_watch.ts";

/** Who may call what (`nrpc.md` 11). */
export interface RpcGates {
  /** Whether this node may ask `target` for what a tag names. */
  mayExecute(target: bigint, tag: string): boolean;
  /** Whether `caller` may ask this node. */
  mayAdmit(caller: bigint, tag: string): boolean;
}

/** What {@linkcode RpcService} needs. */
export interface RpcServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
  readonly metrics: MetricRegistry;
  /** Its transport is asked for when the service starts. */
  readonly mesh: { readonly transport: RpcTransport };
  readonly identity: Pick<Identity, "originHash">;
  readonly facts: Pick<PeerFacts, "isOurs" | "originHashOf">;
  readonly channels: RpcChannels;
  readonly announcements: RpcAnnouncements;
  readonly gates: RpcGates;
}

/** Options of {@linkcode RpcService}. */
export interface RpcServiceOptions {
  /** That of the transport; 30 s when left out. */
  readonly sessionTimeoutMs?: number;
}

/** What runs while the service does. */
interface Running {
  readonly parts: LinkParts;
  readonly loopback: LoopbackLinks;
  readonly clientLinks: PeerClientLinks;
  readonly serverLinks: PeerServerLinks;
  readonly client: RpcClient;
  readonly server: RpcServer;
  readonly directory: ServiceDirectory;
  readonly caller: ServiceCaller;
}

/** Calls of a node. */
export class RpcService implements Service, Rpc {
  readonly name = "rpc";
  /** What is measured of calls, by service. */
  readonly meters: RpcMetrics;
  readonly #deps: RpcServiceDeps;
  readonly #options: RpcServiceOptions;
  readonly #counters = createLinkCounters();
  #running: Running | undefined;

  constructor(deps: RpcServiceDeps, options: RpcServiceOptions = {}) {
    this.#deps = deps;
    this.#options = options;
    this.meters = new RpcMetrics(deps);
  }

  /** True once it was started. */
  get hasStarted(): boolean {
    return this.#running !== undefined;
  }

  /** Calls of one given node. */
  get client(): RpcClient {
    return this.#required.client;
  }

  /** Tokens that end many calls at once; see `CallOptions.cancelToken`. */
  get cancelTokens(): CancelTokens {
    return this.client.cancelTokens;
  }

  // --- Calling ---------------------------------------------------------------------------------

  /** See `Rpc.call`. */
  call(service: string, body: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    return this.#required.caller.call(service, body, options);
  }

  /** See `Rpc.callStream`. */
  callStream(service: string, body: Uint8Array, options?: CallOptions): Promise<RpcResponses> {
    return this.#required.caller.callStream(service, body, options);
  }

  /** See `Rpc.callClientStream`. */
  callClientStream(service: string, options?: CallOptions): Promise<ClientStreamCall> {
    return this.#required.caller.callClientStream(service, options);
  }

  /** See `Rpc.callDuplex`. */
  callDuplex(service: string, options?: CallOptions): Promise<DuplexCall> {
    return this.#required.caller.callDuplex(service, options);
  }

  /** See `Rpc.findServiceNodes`. */
  findServiceNodes(service: string): readonly bigint[] {
    return this.#required.caller.findServiceNodes(service);
  }

  // --- Serving ---------------------------------------------------------------------------------

  /** Services of this node. */
  get services(): readonly ServeHandle[] {
    return this.#required.server.services;
  }

  /** See `Rpc.serve`. */
  serve(service: string, handler: UnaryHandler, options?: ServeOptions): ServeHandle {
    return this.#required.server.serve(service, handler, options);
  }

  /** See `Rpc.serveStream`. */
  serveStream(service: string, handler: StreamHandler, options?: ServeOptions): ServeHandle {
    return this.#required.server.serveStream(service, handler, options);
  }

  /** See `Rpc.serveClientStream`. */
  serveClientStream(
    service: string,
    handler: ClientStreamHandler,
    options?: ServeOptions,
  ): ServeHandle {
    return this.#required.server.serveClientStream(service, handler, options);
  }

  /** See `Rpc.serveDuplex`. */
  serveDuplex(service: string, handler: DuplexHandler, options?: ServeOptions): ServeHandle {
    return this.#required.server.serveDuplex(service, handler, options);
  }

  // --- Running ---------------------------------------------------------------------------------

  /** Where services of this node hear their callers. */
  get serverLinks(): ServerLinks {
    return this.#required.serverLinks;
  }

  start(): Promise<void> {
    const { announcements, metrics } = this.#deps;
    announcements.offer([]);
    this.#running = this.#create();
    metrics.register("rpc_link", () => this.#linkCounters());
    metrics.register("rpc", () => this.#callCounters());
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    running.server.stop();
    running.client.stop();
    // What both said last leaves before the ways close.
    await new Promise<void>((resolve) => this.#deps.clock.soon(resolve));
    running.clientLinks.stop();
    running.serverLinks.stop();
    running.loopback.stop();
    running.parts.watch.stop();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  #create(): Running {
    const { clock, log, random, identity, facts, channels, announcements, mesh } = this.#deps;
    const { transport } = mesh;
    const { sessionTimeoutMs = SESSION_TIMEOUT_MS } = this.#options;
    const parts: LinkParts = {
      clock,
      log,
      transport,
      originHash: identity.originHash,
      facts,
      channels,
      announcements,
      counters: this.#counters,
      budget: new JoinBudget(),
      allowances: new Allowances(),
      watch: new SilenceWatch({ clock, transport }, sessionTimeoutMs),
    };
    const loopback = new LoopbackLinks(parts);
    const clientLinks = new PeerClientLinks(parts, loopback);
    const serverLinks = new PeerServerLinks(parts);
    loopback.useServices((service) => serverLinks.local(service));
    const client = new RpcClient({
      clock,
      random,
      links: clientLinks,
      meters: this.meters,
      nodeId: transport.nodeId,
      mayExecute: (target, service) => this.#mayExecute(target, serviceTag(service)),
    });
    clientLinks.useSink(client);
    const server = new RpcServer({
      clock,
      log,
      links: serverLinks,
      meters: this.meters,
      nodeId: transport.nodeId,
      mayAdmit: (peer, service) => this.#deps.gates.mayAdmit(peer, serviceTag(service)),
      admissionVersion: () => announcements.version,
    });
    const directory = this.#createDirectory(transport);
    const caller = new ServiceCaller({
      clock,
      random: () => new DataView(random(4).buffer).getUint32(0) / 0x1_0000_0000,
      targets: client,
      directory,
      tokens: client.cancelTokens,
      meters: this.meters,
      nodeId: transport.nodeId,
    });
    return { parts, loopback, clientLinks, serverLinks, client, server, directory, caller };
  }

  #createDirectory(transport: RpcTransport): ServiceDirectory {
    const { announcements, gates } = this.#deps;
    return new ServiceDirectory({
      nodesOffering: (service) => announcements.nodesOffering(service),
      mayExecute: (node, service) => gates.mayExecute(node, serviceTag(service)),
      version: () => announcements.version,
      isHealthy: (node) => transport.peer(node)?.state !== "failed",
      roundTripMs: (node) => node === transport.nodeId ? 0 : transport.peer(node)?.rttMs,
    });
  }

  /**
   * The caller's gate keeps this node from a service that a node says it does not offer to it. One that says
   * nothing of the service, or nothing at all, may still have it: it is asked.
   */
  #mayExecute(target: bigint, tag: string): boolean {
    const { announcements, gates } = this.#deps;
    return announcements.tagsOf(target)?.includes(tag) !== true || gates.mayExecute(target, tag);
  }

  #linkCounters(): CounterSet {
    const { parts, clientLinks, serverLinks } = this.#required;
    return {
      ...this.#counters,
      links_ready: clientLinks.size,
      links_opening: clientLinks.opening,
      callers: serverLinks.callers,
      joining_bytes: parts.budget.bytes,
    };
  }

  #callCounters(): CounterSet {
    const { client, server, directory } = this.#required;
    const { pending, ...called } = client.counters;
    const { running, ...served } = server.counters;
    const named: CounterSet = {
      calls_pending: pending,
      handlers_running: running,
      ...this.meters.counters,
    };
    for (const [side, counted] of [["client", called], ["server", served]] as const) {
      for (const [name, value] of Object.entries(counted)) {
        const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
        named[`${side}_${snake}_total`] = value;
      }
    }
    const { services, services_forgotten } = directory.counters;
    return { ...named, looked_up: services, looked_up_forgotten_total: services_forgotten };
  }

  get #required(): Running {
    if (this.#running !== undefined) return this.#running;
    throw new NetError("not_ready", "Cannot use calls: the node has not started them");
  }
}
