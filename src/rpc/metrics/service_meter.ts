/** What is counted of one service, as caller and as server (`nrpc.md` 15). */

/** Upper bounds of the histograms in seconds; beyond them is one more bucket. */
export const LATENCY_BOUNDS_SECONDS = [
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
] as const;

/** How long things took. */
export class Histogram {
  sumMs = 0;
  count = 0;
  /** Not cumulative; the last one holds what is beyond every bound. */
  readonly buckets = new Array<number>(LATENCY_BOUNDS_SECONDS.length + 1).fill(0);

  /** Books one duration. */
  observe(ms: number): void {
    this.sumMs += ms;
    this.count += 1;
    const seconds = ms / 1000;
    let index = 0;
    while (
      index < LATENCY_BOUNDS_SECONDS.length && seconds > (LATENCY_BOUNDS_SECONDS[index] ?? 0)
    ) {
      index += 1;
    }
    this.buckets[index] = (this.buckets[index] ?? 0) + 1;
  }
}

/** How a call ended, for the observer. */
export type CallOutcome = "ok" | "error" | "timeout" | "canceled";

/** Counters of one service; the engines count here directly. */
export class ServiceMeter {
  readonly service: string;
  /** Calls of this node. */
  calls = 0;
  errorsNoRoute = 0;
  errorsTimeout = 0;
  errorsServer = 0;
  errorsTransport = 0;
  /** Refused by the gate of either side, as the caller learns it. */
  callsDenied = 0;
  inFlight = 0;
  readonly latency = new Histogram();
  /** Handlers of this node. */
  handlerInvocations = 0;
  handlerPanics = 0;
  handlersRunning = 0;
  /** Refused by the gate of this node before a handler ran. */
  capabilityDenied = 0;
  readonly handlerDuration = new Histogram();
  streamChunksEmitted = 0;
  streamChunksDropped = 0;
  relayedFlowControlledRejected = 0;
  packetOriginMismatchDropped = 0;
  /** Answers of unary calls that found no room to wait for the way back. */
  responsesDropped = 0;
  /** Requests refused because too many ran. */
  overloaded = 0;
  /**
   * Parts that keep this meter for longer than one call, as a server does while it serves; add one and take it
   * back. While there are any it stays in the table, so that what they count is seen.
   */
  holders = 0;

  constructor(service: string) {
    this.service = service;
  }

  /** True when nothing was counted, nothing runs, and nobody keeps it. */
  get isUnused(): boolean {
    return this.holders === 0 && this.inFlight === 0 && this.handlersRunning === 0 &&
      this.calls === 0 && this.latency.count === 0 && this.handlerInvocations === 0 &&
      this.handlerDuration.count === 0 && this.capabilityDenied + this.callsDenied === 0 &&
      this.errorsNoRoute + this.errorsTimeout + this.errorsServer + this.errorsTransport === 0 &&
      this.handlerPanics + this.streamChunksEmitted + this.streamChunksDropped === 0 &&
      this.relayedFlowControlledRejected + this.packetOriginMismatchDropped === 0 &&
      this.responsesDropped + this.overloaded === 0;
  }
}

/** One call, told to whoever observes them. */
export interface RpcCallEvent {
  readonly caller: bigint;
  readonly callee: bigint;
  readonly method: string;
  readonly latencyMs: number;
  readonly outcome: CallOutcome;
  /** Text of the error, with `error`. */
  readonly error: string | undefined;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly direction: "outbound" | "inbound";
  readonly unixMs: number;
}

/** Where the engines count, and whom they tell. */
export interface RpcMeters {
  /** The counters of a service; further names than the table holds share one. */
  of(service: string): ServiceMeter;
  /** True when somebody observes: events are made only then. */
  readonly isObserved: boolean;
  /** Tells the observer, later; never waits, never throws. */
  tell(event: RpcCallEvent): void;
}
