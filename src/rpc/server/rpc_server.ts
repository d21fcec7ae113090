/** Services of this node in the four shapes (`nrpc.md` 5 to 11). */
import type { Clock } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { BodyCopies } from "../engine/body_copies.ts";
import { TimerHeap } from "../engine/timer_heap.ts";
import { RpcError } from "../error.ts";
import type { ServerLinks } from "../link/mod.ts";
import type { RpcMeters } from "../metrics/mod.ts";
import type {
  ClientStreamHandler,
  DuplexHandler,
  ServeHandle,
  ServeOptions,
  StreamHandler,
  UnaryHandler,
} from "../types.ts";
import { ByteBudget } from "./byte_budget.ts";
import { CallerShares } from "./caller_shares.ts";
import type { RpcServerDeps } from "./deps.ts";
import { EARLY_BYTES_TOTAL_MAX } from "./limits.ts";
import { RecentCalls } from "./recent_calls.ts";
import { ServedName, type ShapedHandler } from "./served_name.ts";

/** What the engine counts beside what it counts per service. */
export interface RpcServerCounters {
  /** Frames that are none, or none that a caller sends. */
  malformed: number;
  /** Frames whose route word names another channel. */
  misrouted: number;
  /** Requests that name another service than their channel does. */
  misnamed: number;
  /** Requests and items that came twice. */
  duplicates: number;
  /** Items and grants for calls that are over, or were none. */
  late: number;
  /** Items that overtook their request, and found no room or waited in vain. */
  earlyDropped: number;
  /** Items and grants for calls that take none. */
  unasked: number;
  /** Requests that came while the node drained. */
  refusedDraining: number;
}

/** What services share. */
export interface ServerEngine {
  readonly clock: Clock;
  readonly log: Log;
  readonly links: ServerLinks;
  readonly meters: RpcMeters;
  readonly nodeId: bigint;
  readonly timers: TimerHeap;
  readonly copies: BodyCopies;
  readonly recent: RecentCalls;
  /** Handlers that run, and what calls keep, by peer. */
  readonly shares: CallerShares;
  /** Items that overtook their request. */
  readonly early: ByteBudget;
  readonly counters: RpcServerCounters;
  /** Requests of other nodes are refused. */
  isDraining: boolean;
  mayAdmit(caller: bigint, service: string): boolean;
  admissionVersion(): number | undefined;
}

const NO_OPTIONS: ServeOptions = Object.freeze({});

/** The serving engine. */
export class RpcServer {
  readonly #engine: ServerEngine;
  readonly #services = new Map<string, ServedName>();

  constructor(deps: RpcServerDeps) {
    const { clock, log, links, meters, nodeId } = deps;
    this.#engine = {
      clock,
      log,
      links,
      meters,
      nodeId,
      timers: new TimerHeap(clock),
      copies: new BodyCopies(),
      recent: new RecentCalls(deps.seed),
      shares: new CallerShares(),
      early: new ByteBudget(EARLY_BYTES_TOTAL_MAX),
      counters: {
        malformed: 0,
        misrouted: 0,
        misnamed: 0,
        duplicates: 0,
        late: 0,
        earlyDropped: 0,
        unasked: 0,
        refusedDraining: 0,
      },
      isDraining: false,
      mayAdmit: (caller, service) => deps.mayAdmit(caller, service),
      admissionVersion: () => deps.admissionVersion?.(),
    };
  }

  get counters(): Readonly<RpcServerCounters> & {
    readonly running: number;
    /** Bytes of requests that are being handled, and of items that wait. */
    readonly heldBytes: number;
  } {
    const { counters, shares: { running, heldBytes } } = this.#engine;
    return { ...counters, running, heldBytes };
  }

  /** Names that are served, in the order they began to be. */
  get services(): readonly ServeHandle[] {
    return [...this.#services.values()];
  }

  /**
   * Serves a name from now on.
   *
   * @throws RpcError `serve_failed` when it is served already, or is none; RangeError for senseless options.
   */
  serve(service: string, handle: UnaryHandler, options?: ServeOptions): ServeHandle {
    return this.#serve(service, { shape: "unary", handle }, options);
  }

  /** As {@linkcode RpcServer.serve}, answered with a stream. */
  serveStream(service: string, handle: StreamHandler, options?: ServeOptions): ServeHandle {
    return this.#serve(service, { shape: "server_stream", handle }, options);
  }

  /** As {@linkcode RpcServer.serve}, for uploads. */
  serveClientStream(
    service: string,
    handle: ClientStreamHandler,
    options?: ServeOptions,
  ): ServeHandle {
    return this.#serve(service, { shape: "client_stream", handle }, options);
  }

  /** As {@linkcode RpcServer.serve}, with streams both ways. */
  serveDuplex(service: string, handle: DuplexHandler, options?: ServeOptions): ServeHandle {
    return this.#serve(service, { shape: "duplex", handle }, options);
  }

  /** Refuses requests of other nodes, so that they ask elsewhere, or takes them again; what runs goes on. */
  setDraining(isDraining: boolean): void {
    this.#engine.isDraining = isDraining;
  }

  /** Calls that are not over, but for those that go on until they are ended. */
  get openCalls(): number {
    let open = 0;
    for (const service of this.#services.values()) open += service.isOpenEnded ? 0 : service.open;
    return open;
  }

  /** Ends what runs, telling the callers, and serves nothing any more. */
  stop(): void {
    // Handlers that do not mind their signal are not waited for.
    for (const service of [...this.#services.values()]) {
      service.stop("the serving node stops");
      service.giveUp();
    }
    this.#engine.timers.stop();
  }

  #serve(service: string, handler: ShapedHandler, options = NO_OPTIONS): ServeHandle {
    const known = this.#services.get(service);
    if (known !== undefined && !known.isClosing) {
      throw new RpcError("serve_failed", `Cannot serve "${service}": it is served already`, {
        next: "close it first, or choose another name",
      });
    }
    if (known !== undefined) {
      throw new RpcError("serve_failed", `Cannot serve "${service}": it is being closed`, {
        next: "wait until close() has resolved",
      });
    }
    const named = new ServedName(this.#engine, service, handler, options, () => {
      if (this.#services.get(service) === named) this.#services.delete(service);
    });
    named.listen();
    this.#services.set(service, named);
    return named;
  }
}
