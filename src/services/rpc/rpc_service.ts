/**
 * The call service: what this node calls, and what it serves (`nrpc.md`). What it is made of is `rpc_run.ts`.
 */
import { NetError } from "../../base/mod.ts";
import { SESSION_TIMEOUT_MS } from "../../core/transport/mod.ts";
import type { DrainPart, Service, ServiceHealth } from "../../kernel/mod.ts";
import type { CounterSet } from "../../observe/mod.ts";
import {
  type CallOptions,
  type CancelTokens,
  type ClientStreamCall,
  type ClientStreamHandler,
  createLinkCounters,
  type DuplexCall,
  type DuplexHandler,
  type Rpc,
  type RpcClient,
  rpcFamilies,
  RpcMetrics,
  type RpcResponses,
  type ServeHandle,
  type ServeOptions,
  type ServerLinks,
  type StreamHandler,
  type UnaryHandler,
} from "../../rpc/mod.ts";
import { createRpcRun, type RpcRun, type RpcServiceDeps } from "./rpc_run.ts";

/** Options of {@linkcode RpcService}. */
export interface RpcServiceOptions {
  /** That of the transport; 30 s when left out. */
  readonly sessionTimeoutMs?: number;
}

/** Calls of a node. */
export class RpcService implements Service, Rpc {
  readonly name = "rpc";
  /** What is measured of calls, by service. */
  readonly meters: RpcMetrics;
  readonly #deps: RpcServiceDeps;
  readonly #options: RpcServiceOptions;
  readonly #counters = createLinkCounters();
  #running: RpcRun | undefined;

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

  /** Calls that are served, for the node's drain: peers no longer choose this node, and are refused. */
  get drainPart(): DrainPart {
    const setDraining = (isDraining: boolean) => {
      const { server, serverLinks } = this.#running ?? {};
      server?.setDraining(isDraining);
      serverLinks?.setHidden(isDraining);
    };
    return {
      name: "served_calls",
      begin: () => setDraining(true),
      resume: () => setDraining(false),
      inFlight: () => this.#running?.server.openCalls ?? 0,
    };
  }

  // --- Running ---------------------------------------------------------------------------------

  /** Where services of this node hear their callers. */
  get serverLinks(): ServerLinks {
    return this.#required.serverLinks;
  }

  start(): Promise<void> {
    const { announcements, metrics } = this.#deps;
    announcements.offer([]);
    this.#running = createRpcRun(this.#deps, {
      meters: this.meters,
      counters: this.#counters,
      sessionTimeoutMs: this.#options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS,
    });
    metrics.register("rpc_link", () => this.#linkCounters());
    metrics.register("rpc", () => this.#callCounters());
    metrics.registerFamilies("nrpc", () => rpcFamilies(this.meters.snapshot()));
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
    const { running, heldBytes, ...served } = server.counters;
    const named: CounterSet = {
      calls_pending: pending,
      handlers_running: running,
      held_bytes: heldBytes,
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

  get #required(): RpcRun {
    if (this.#running !== undefined) return this.#running;
    throw new NetError("not_ready", "Cannot use calls: the node has not started them");
  }
}
