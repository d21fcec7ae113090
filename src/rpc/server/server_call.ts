/**
 * What calls of all four shapes have in common at the server: they are the context that their handlers see, and
 * they end exactly once, by the handler, a cancel, the deadline or the end of the caller, whichever comes first
 * (`nrpc.md` 6, 8 to 10).
 */
import { joinHalves } from "../../base/mod.ts";
import {
  decodeTraceParent,
  decodeTraceState,
  HEADER_TRACE_PARENT,
  HEADER_TRACE_STATE,
  type TraceContext,
} from "../../core/capability/mod.ts";
import { Timed } from "../engine/timer_heap.ts";
import type { FrameLink } from "../link/mod.ts";
import type { CallOutcome } from "../metrics/mod.ts";
import type { RpcContext } from "../types.ts";
import {
  type ChunkBody,
  type FrameHead,
  headerText,
  type RequestBody,
  Status,
} from "../wire/mod.ts";
import type { CallerSink } from "./caller_sink.ts";
import { type Failure, failure, failureOf } from "./failure.ts";
import { DEADLINE_TOLERANCE_MS } from "./limits.ts";
import { fittingFailure, trySendResponse } from "./reply_writer.ts";
import type { UploadItems } from "./upload_items.ts";

/** A call that a handler runs for, or has just now. */
export abstract class ServerCall extends Timed implements RpcContext {
  readonly sink: CallerSink;
  /** The way back. */
  readonly link: FrameLink;
  readonly callLow: number;
  readonly callHigh: number;
  readonly headers: RpcContext["headers"];
  readonly startedAt: number;
  readonly requestBytes: number;
  responseBytes = 0;
  /** Bytes of its request that are kept as long as its handler runs. */
  heldBytes = 0;
  isOver = false;
  /** It is found by its id: frames that concern it may still come. */
  isBooked = false;
  #isHandlerOver = false;
  readonly #originLow: number;
  readonly #originHigh: number;
  readonly #deadlineMs: number;
  /** The deadline by our clock; `Infinity` without one. */
  #deadlineAt = Infinity;
  #handlerDueAt = Infinity;
  #aborter: AbortController | undefined;
  #abortReason: unknown;

  constructor(sink: CallerSink, link: FrameLink, head: FrameHead, request: RequestBody) {
    super();
    this.sink = sink;
    this.link = link;
    this.callLow = head.callLow;
    this.callHigh = head.callHigh;
    this.#originLow = head.originLow;
    this.#originHigh = head.originHigh;
    this.headers = request.headers;
    this.#deadlineMs = request.deadlineMs;
    this.requestBytes = request.body.length;
    this.startedAt = sink.engine.clock.now();
  }

  /** Runs the handler; what it throws at once is for the caller to handle. */
  abstract run(body: Uint8Array): void;

  /** What the caller uploads, where the service takes that. */
  protected readonly upload: UploadItems | undefined = undefined;

  /** The word in texts: which kind of handler it is. */
  protected abstract readonly kind: "handler" | "duplex handler";

  get service(): string {
    return this.sink.service.name;
  }

  get caller(): bigint {
    return this.sink.peer.peer;
  }

  get origin(): bigint {
    return joinHalves(this.#originLow, this.#originHigh);
  }

  get callId(): bigint {
    return joinHalves(this.callLow, this.callHigh);
  }

  get deadlineMs(): number | undefined {
    return this.#deadlineMs === 0 ? undefined : this.#deadlineMs;
  }

  get trace(): TraceContext | undefined {
    return readTrace(this.headers);
  }

  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.#abortReason !== undefined) this.#aborter.abort(this.#abortReason);
    }
    return this.#aborter.signal;
  }

  /** More items of the answer may leave. */
  onStreamGrant(_credits: number): void {
    this.sink.engine.counters.unasked += 1;
  }

  /** An item of the request. */
  onChunk(head: FrameHead, chunk: ChunkBody, isOwned: boolean): void {
    if (this.upload === undefined) {
      this.sink.engine.counters.unasked += 1;
      return;
    }
    this.touch();
    this.upload.onChunk(head.item, chunk.flags, this.sink.keep(chunk.body, isOwned));
  }

  /** An item of the request that cannot be read. */
  onBadChunk(): void {
    if (this.upload === undefined) this.sink.engine.counters.malformed += 1;
    else this.upload.onUndecodable();
  }

  /** The caller cancels. */
  onCancel(): void {
    const text = `server observed CANCEL during ${this.kind} execution`;
    this.fail(failure(Status.cancelled, text), "canceled");
  }

  /** Nobody hears the answer any more. */
  onCallerLost(why: string): void {
    this.abandon(why);
  }

  /** This node ends it. */
  onStop(why: string): void {
    this.fail(failure(Status.cancelled, why), "canceled");
  }

  /** Begins to watch the time; from now on frames that concern the call find it. */
  book(): void {
    this.isBooked = true;
    this.sink.add(this);
    const { engine, service } = this.sink;
    const now = this.startedAt;
    if (this.#deadlineMs !== 0) {
      const leftMs = this.#deadlineMs - engine.clock.wallMs();
      // The caller's clock may be behind ours: then it gets what it would be waited for at most.
      this.#deadlineAt = now + (leftMs > 0 ? leftMs : leftMs + DEADLINE_TOLERANCE_MS);
    }
    const { handlerTimeoutMs } = service;
    if (handlerTimeoutMs > 0) this.#handlerDueAt = now + handlerTimeoutMs;
    const dueAt = Math.min(this.#deadlineAt, this.#handlerDueAt);
    if (dueAt !== Infinity) engine.timers.add(this, dueAt);
  }

  /** The handler is through, whatever became of the call meanwhile; once. */
  endHandler(): void {
    if (this.#isHandlerOver) return;
    this.#isHandlerOver = true;
    this.sink.onHandlerEnd(this);
  }

  /** It is the caller, not the handler, who lets the call wait. */
  protected get isCallerAwaited(): boolean {
    return false;
  }

  /** The handler gave a sign of life. */
  protected touch(): void {
    const { handlerTimeoutMs } = this.sink.service;
    // The heap is looked at when the old time has come, which costs less than moving it each time.
    if (handlerTimeoutMs > 0) {
      this.#handlerDueAt = this.sink.engine.clock.now() + handlerTimeoutMs;
    }
  }

  override onDue(): void {
    const { timers, clock } = this.sink.engine;
    const now = clock.now();
    if (this.#handlerDueAt <= now && this.isCallerAwaited) this.touch();
    const dueAt = Math.min(this.#deadlineAt, this.#handlerDueAt);
    if (dueAt > now) return timers.add(this, dueAt);
    const text = this.#deadlineAt <= now
      ? `${this.kind} deadline_ns exceeded`
      : `${this.kind} took more than ${this.sink.service.handlerTimeoutMs} ms`;
    this.fail(failure(Status.timeout, text), "timeout");
  }

  /** Ends the call with a failure, if it has not ended. */
  fail(fault: Failure, outcome: CallOutcome = "error"): void {
    if (this.isOver) return;
    const { status, headers, body } = fittingFailure(this.link, fault);
    this.responseBytes = body.length;
    this.over(outcome, fault.text);
    this.reply(this.failureItem(), status, headers, body);
  }

  /** Ends the call with what a handler threw, if it has not ended. */
  failWith(error: unknown): void {
    // It left as its signal told it to.
    if (this.isOver && isAbort(error)) return;
    const fault = failureOf(error);
    if (fault.isPanic) this.sink.service.onPanic(this, fault.text);
    this.fail(fault);
  }

  /** Ends the call without a word: nobody would hear it. */
  protected abandon(why: string): void {
    if (!this.isOver) this.over("canceled", why);
  }

  /** Number of the frame that ends the call early; 0 where frames are not numbered. */
  protected failureItem(): number {
    return 0;
  }

  /** Sends a response now, or when there is room. */
  protected reply(
    item: number,
    status: number,
    headers: RpcContext["headers"],
    body: Uint8Array,
  ): void {
    const { link, callLow, callHigh } = this;
    const { replies } = this.sink.service;
    if (
      !replies.isBehind(link) &&
      trySendResponse(link, callLow, callHigh, item, status, headers, body)
    ) return;
    replies.push(link, { callLow, callHigh, item, status, headers, body });
  }

  /** Books the end; the handler is told by its signal, unless it ended by itself. */
  protected over(outcome: CallOutcome, text?: string): void {
    this.isOver = true;
    this.sink.remove(this);
    if (outcome !== "ok") {
      this.#abortReason = new DOMException(text ?? "the call is over", "AbortError");
      this.#aborter?.abort(this.#abortReason);
    }
    this.sink.tell(this, outcome, text);
    this.upload?.end(outcome === "ok" ? undefined : this.#abortReason);
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

function readTrace(headers: RpcContext["headers"]): TraceContext | undefined {
  if (headers.length === 0) return undefined;
  const parentText = headerText(headers, HEADER_TRACE_PARENT);
  const parent = parentText === undefined ? undefined : decodeTraceParent(parentText);
  if (parent?.ok !== true) return undefined;
  const { traceId, spanId, flags } = parent;
  const state = decodeTraceState(headerText(headers, HEADER_TRACE_STATE) ?? "") ?? [];
  return { traceId, spanId, parentSpanId: undefined, isSampled: (flags & 1) !== 0, state };
}
