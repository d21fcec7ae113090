/**
 * What calls of all four shapes have in common: they begin, are booked, and end exactly once, by an answer, the
 * deadline, a cancel or the end of their link, whichever comes first.
 */
import { joinHalves } from "../../base/mod.ts";
import type { RpcError } from "../error.ts";
import type { FrameLink, LinkEnd, RefusedFrame } from "../link/link.ts";
import type { CallOutcome, ServiceMeter } from "../metrics/service_meter.ts";
import type { CallOptions } from "../types.ts";
import type { FrameHead, ResponseBody } from "../wire/mod.ts";
import {
  cancelledError,
  deniedError,
  linkEndError,
  pendingFullError,
  refusedError,
  timeoutError,
  undecodableError,
  unsendableError,
} from "./call_errors.ts";
import type { CallTable } from "./call_table.ts";
import type { Cancellable, CancelToken } from "./cancel_token.ts";
import { TIMEOUT_MS_MAX } from "./limits.ts";
import type { ServiceName } from "./service_names.ts";
import { Timed } from "../engine/timer_heap.ts";

/** A call of this node that has not ended, or has just now. */
export abstract class ClientCall extends Timed implements Cancellable, EventListenerObject {
  readonly table: CallTable;
  readonly target: bigint;
  readonly service: ServiceName;
  readonly meter: ServiceMeter;
  readonly startedAt: number;
  callLow = 0;
  callHigh = 0;
  /** Where answers are taken from; set before the first byte leaves. */
  link: FrameLink | undefined;
  /** Unix milliseconds for the request; 0 for none. */
  deadlineWallMs = 0;
  #isSent = false;
  isOver = false;
  /** What it failed with, once it is over. */
  outcome: RpcError | undefined;
  requestBytes = 0;
  responseBytes = 0;
  #signal: AbortSignal | undefined;
  #token: CancelToken | undefined;
  #aborter: AbortController | undefined;
  #onSent: (() => void) | undefined;

  constructor(table: CallTable, target: bigint, service: ServiceName) {
    super();
    this.table = table;
    this.target = target;
    this.service = service;
    this.meter = table.meters.of(service.text);
    this.startedAt = table.clock.now();
  }

  /** An answer for it; the body is a view, valid only now unless `isOwned`. */
  abstract onResponse(head: FrameHead, response: ResponseBody, isOwned: boolean): void;

  /** It has ended; `undefined` when well. */
  protected abstract onOver(error: RpcError | undefined): void;

  /** More request items may leave. */
  onRequestGrant(_credits: number): void {}

  get callId(): bigint {
    return joinHalves(this.callLow, this.callHigh);
  }

  /**
   * Books the call and whatever may end it.
   *
   * @param timeoutMsDefault 0 for none.
   * @returns False when it has ended already.
   */
  begin(options: CallOptions, timeoutMsDefault: number): boolean {
    this.table.count(this);
    const { signal, cancelToken, timeoutMs = timeoutMsDefault } = options;
    this.#onSent = options.onSent;
    if (signal?.aborted) return this.#refuse(cancelledError(this, signal.reason));
    if (this.table.isStopped) return this.#refuse(cancelledError(this, "this node has stopped"));
    if (!this.service.isValid) {
      const reason = `its name has ${this.service.bytes.length} bytes, must be 1 to 255`;
      return this.#refuse(unsendableError(this, reason));
    }
    if (Number.isNaN(timeoutMs) || timeoutMs < 0) {
      return this.#refuse(unsendableError(this, `timeout is ${timeoutMs} ms, must be 0 or more`));
    }
    if (!this.table.mayExecute(this.target, this.service.text)) {
      return this.#refuse(deniedError(this));
    }
    if (!this.table.add(this)) return this.#refuse(pendingFullError(this, this.table.callsMax));
    if (timeoutMs !== 0 && timeoutMs <= TIMEOUT_MS_MAX) {
      this.deadlineWallMs = this.table.clock.wallMs() + timeoutMs;
      this.table.timers.add(this, this.startedAt + timeoutMs);
    } else if (options.timeoutMs === 0) return this.#refuse(timeoutError(this, 0));
    if (signal !== undefined) {
      this.#signal = signal;
      signal.addEventListener("abort", this);
    }
    if (cancelToken !== undefined && cancelToken.id !== 0) {
      this.#token = cancelToken;
      return this.table.tokens.register(cancelToken, this);
    }
    return true;
  }

  /** Aborted when the call ends before its request has left. */
  sendSignal(): AbortSignal {
    this.#aborter ??= new AbortController();
    return this.#aborter.signal;
  }

  /** The request has left: nothing waits for {@linkcode sendSignal} any more. */
  dropSendSignal(): void {
    this.#aborter = undefined;
  }

  /** The server may know of it. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** To be called before the first byte of it leaves. */
  markSent(): void {
    if (this.#isSent) return;
    this.#isSent = true;
    this.#onSent?.();
  }

  /** Ends it well; false when it had ended. */
  succeed(): boolean {
    return this.#end(undefined);
  }

  /**
   * Ends it with an error; false when it had ended.
   *
   * @param isCancelled The server is told, where it may know of the call and goes on otherwise.
   */
  fail(error: RpcError, isCancelled: boolean): boolean {
    if (!this.#end(error)) return false;
    if (isCancelled && this.isSent && this.link?.isOpen) {
      this.table.cancels.send(this.link, this.callLow, this.callHigh);
    }
    return true;
  }

  override onDue(): void {
    this.fail(timeoutError(this, this.table.clock.now() - this.startedAt), true);
  }

  onCancel(reason: unknown): void {
    this.fail(cancelledError(this, reason), true);
  }

  /** The abort of the caller's signal. */
  handleEvent(): void {
    this.onCancel(this.#signal?.reason);
  }

  /** A frame for it that cannot be read. */
  onUndecodable(what: string): void {
    this.fail(undecodableError(this, what), true);
  }

  /** An answer in fragments was not taken. */
  onRefused(frame: RefusedFrame): void {
    this.fail(refusedError(this, frame), true);
  }

  /** Its link has ended. */
  onLinkEnd(reason: LinkEnd): void {
    this.fail(linkEndError(this, reason), false);
  }

  #refuse(error: RpcError): false {
    this.fail(error, false);
    return false;
  }

  #end(error: RpcError | undefined): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.outcome = error;
    this.#signal?.removeEventListener("abort", this);
    if (this.#token !== undefined) this.table.tokens.release(this.#token, this);
    this.table.remove(this, error);
    this.#aborter?.abort(error);
    this.onOver(error);
    return true;
  }
}

/** How observers are told of an end. */
export function outcomeOf(error: RpcError | undefined): CallOutcome {
  if (error === undefined) return "ok";
  if (error.kind === "timeout") return "timeout";
  return error.kind === "cancelled" ? "canceled" : "error";
}
