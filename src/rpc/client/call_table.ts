/** The calls that wait for answers: what they share, how they are found, and the books kept of them. */
import { type Clock, PairMap } from "../../base/mod.ts";
import type { RpcError } from "../error.ts";
import type { FrameLink, LinkEnd } from "../link/link.ts";
import type { RpcMeters, ServiceMeter } from "../metrics/service_meter.ts";
import { BodyCopies } from "../engine/body_copies.ts";
import { CallIds } from "./call_ids.ts";
import { CancelFrames } from "./cancel_frames.ts";
import { CancelTokens } from "./cancel_token.ts";
import { type ClientCall, outcomeOf } from "./client_call.ts";
import type { RpcClientDeps } from "./deps.ts";
import { CALLS_PENDING_MAX } from "./limits.ts";
import { TimerHeap } from "../engine/timer_heap.ts";

/** Calls of this node by their ids. */
export class CallTable {
  readonly clock: Clock;
  readonly meters: RpcMeters;
  readonly timers: TimerHeap;
  readonly tokens: CancelTokens;
  readonly cancels = new CancelFrames();
  readonly copies = new BodyCopies();
  readonly callsMax: number;
  /** Items of streams that came twice. */
  duplicates = 0;
  readonly #deps: RpcClientDeps;
  readonly #ids: CallIds;
  readonly #pending = new PairMap<ClientCall>(64);
  /** Nothing is called any more. */
  isStopped = false;

  constructor(deps: RpcClientDeps, callsMax = CALLS_PENDING_MAX) {
    this.#deps = deps;
    this.clock = deps.clock;
    this.meters = deps.meters;
    this.timers = new TimerHeap(deps.clock);
    this.tokens = new CancelTokens(deps.clock);
    this.#ids = new CallIds(deps.random);
    this.callsMax = callsMax;
  }

  /** Calls that wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** The caller gate (`nrpc.md` 11). */
  mayExecute(target: bigint, service: string): boolean {
    return this.#deps.mayExecute(target, service);
  }

  /** Books the beginning of a call. */
  count(call: ClientCall): void {
    call.meter.calls += 1;
    call.meter.inFlight += 1;
  }

  /** Gives a call its id; false when too many wait. */
  add(call: ClientCall): boolean {
    if (this.#pending.size >= this.callsMax) return false;
    do this.#ids.next(); while (this.#pending.get(this.#ids.low, this.#ids.high) !== undefined);
    call.callLow = this.#ids.low;
    call.callHigh = this.#ids.high;
    this.#pending.set(call.callLow, call.callHigh, call);
    return true;
  }

  /** The call with this id. */
  get(low: number, high: number): ClientCall | undefined {
    return this.#pending.get(low, high);
  }

  /** Books the end of a call, and forgets it. */
  remove(call: ClientCall, error: RpcError | undefined): void {
    // A call that was refused has no id: no call has 0.
    if (call.callLow !== 0 || call.callHigh !== 0) {
      this.#pending.delete(call.callLow, call.callHigh);
    }
    this.timers.remove(call);
    const { meter } = call;
    if (meter.inFlight > 0) meter.inFlight -= 1;
    const latencyMs = Math.max(0, this.clock.now() - call.startedAt);
    meter.latency.observe(latencyMs);
    if (error !== undefined) countError(meter, error);
    if (this.meters.isObserved) this.#tell(call, error, latencyMs);
  }

  /** Ends the calls on a link. */
  onLinkEnd(link: FrameLink, reason: LinkEnd): void {
    for (const call of this.#pending.values()) if (call.link === link) call.onLinkEnd(reason);
  }

  /** Ends every call, and begins no more. */
  stop(error: (call: ClientCall) => RpcError): void {
    this.isStopped = true;
    for (const call of this.#pending.values()) call.fail(error(call), true);
    this.timers.stop();
    this.tokens.stop();
  }

  #tell(call: ClientCall, error: RpcError | undefined, latencyMs: number): void {
    const outcome = outcomeOf(error);
    this.meters.tell({
      caller: this.#deps.nodeId,
      callee: call.target,
      method: call.service.text,
      latencyMs,
      outcome,
      error: outcome === "error" ? error?.message : undefined,
      requestBytes: call.requestBytes,
      responseBytes: call.responseBytes,
      direction: "outbound",
      unixMs: this.clock.wallMs(),
    });
  }
}

function countError(meter: ServiceMeter, error: RpcError): void {
  switch (error.kind) {
    case "no_route":
      meter.errorsNoRoute += 1;
      break;
    case "timeout":
      meter.errorsTimeout += 1;
      break;
    case "transport":
      meter.errorsTransport += 1;
      break;
    case "capability_denied":
      meter.callsDenied += 1;
      break;
    case "server_error":
    case "codec_decode":
      meter.errorsServer += 1;
      break;
    case "backpressure":
      if (error.status !== undefined) meter.errorsServer += 1;
      break;
    default:
  }
}
