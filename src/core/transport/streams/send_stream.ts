/**
 * The sending half of a stream as the planes above see it: events in, packets out, and what to do when
 * there is no room (`wire.md` 7.3).
 */
import { NetError } from "../../../base/mod.ts";
import { FRAME_PREFIX_BYTES } from "../wire/event_frame.ts";
import { MAX_EVENT_BYTES } from "../wire/header.ts";
import { PACKET_OVERHEAD_BYTES } from "../limits.ts";
import type { SendState } from "./send_state.ts";
import type { SessionStreams } from "./session_streams.ts";
import type { Stream } from "./stream.ts";
import type { StreamSender } from "./stream_sender.ts";
import type { SendOptions, SendStream, StreamEnd } from "../types.ts";

const EMPTY = new Uint8Array(0);

/** The handle of one sending half. */
export class SendStreamHandle implements SendStream {
  readonly peer: bigint;
  readonly streamId: bigint;
  readonly #streams: SessionStreams;
  readonly #sender: StreamSender;
  readonly #stream: Stream;
  readonly #state: SendState;
  /** The one event of a call that sends one. */
  readonly #single: [Uint8Array] = [EMPTY];
  /** A call waits for room; others line up behind it. */
  #isTaken = false;
  readonly #line: (() => void)[] = [];

  constructor(peer: bigint, streams: SessionStreams, stream: Stream, state: SendState) {
    this.peer = peer;
    this.streamId = stream.id;
    this.#streams = streams;
    this.#sender = streams.sender;
    this.#stream = stream;
    this.#state = state;
  }

  /** True until the stream ends or is closed. */
  get isOpen(): boolean {
    return this.#endedBy === undefined;
  }

  /** True while a call waits for room, which others must not overtake. */
  get isWaitedFor(): boolean {
    return this.#isTaken;
  }

  /** True when an event of so many bytes would be taken now. */
  canSend(bytes: number): boolean {
    return this.#endedBy === undefined && bytes <= this.eventBytesMax &&
      this.#state.canSend(FRAME_PREFIX_BYTES + bytes);
  }

  trySend(event: Uint8Array): boolean {
    this.#assertOpen();
    this.#assertLength(event);
    const length = FRAME_PREFIX_BYTES + event.length;
    if (!this.#state.canSend(length)) return this.#refuse();
    this.#single[0] = event;
    const isSent = this.#sender.send(this.#stream, this.#state, this.#single, 0, 1, length);
    this.#single[0] = EMPTY;
    return isSent;
  }

  /**
   * Queues events that are framed already as one packet: each a little-endian u32 length and its bytes, one
   * behind the other. Copied once, before the call returns.
   *
   * @param start Where the first frame begins in `bytes`.
   * @param length Bytes of all frames, at most {@linkcode SendStreamHandle.payloadBytesMax}.
   * @param count Number of events.
   * @returns False when the caller has to wait for {@linkcode SendStreamHandle.ready}.
   * @throws NetError `unreachable` once the stream has ended; RangeError when it is too long.
   */
  trySendFramed(bytes: Uint8Array, start: number, length: number, count: number): boolean {
    this.#assertOpen();
    const bytesMax = this.payloadBytesMax;
    if (length > bytesMax) {
      throw new RangeError(`Cannot send events: they have ${length} bytes, at most ${bytesMax}`);
    }
    if (!this.#state.canSend(length)) return this.#refuse();
    return this.#sender.sendFramed(this.#stream, this.#state, bytes, start, length, count);
  }

  /**
   * Queues as many of `events` as fit, many per packet.
   *
   * @returns How many were taken, counted from `start`.
   */
  trySendAll(events: readonly Uint8Array[], start = 0): number {
    this.#assertOpen();
    const sender = this.#sender;
    const payloadMax = this.payloadBytesMax;
    let taken = start;
    while (taken < events.length) {
      let length = 0;
      let end = taken;
      while (end < events.length) {
        const event = events[end] as Uint8Array;
        this.#assertLength(event);
        if (end > taken && length + FRAME_PREFIX_BYTES + event.length > payloadMax) break;
        length += FRAME_PREFIX_BYTES + event.length;
        end += 1;
      }
      if (!this.#state.canSend(length)) {
        this.#refuse();
        break;
      }
      if (!sender.send(this.#stream, this.#state, events, taken, end, length)) break;
      taken = end;
    }
    return taken - start;
  }

  /**
   * Queues one event, waiting for room if there is none; calls that wait are served in their order.
   *
   * @throws NetError `backpressure` when `isPatient` is false and there is no room now; `unreachable` once
   * the stream has ended; the signal's reason when that comes first, and nothing was queued.
   */
  async send(event: Uint8Array, options: SendOptions = {}): Promise<void> {
    this.#assertOpen();
    this.#assertLength(event);
    // Who came first and still waits is served first.
    if (!this.#isTaken && this.trySend(event)) return;
    await this.#inTurn(options, async () => {
      while (!this.trySend(event)) await this.ready(options);
    });
  }

  /** Queues all events, many per packet; on abort those already taken still leave. */
  async sendAll(events: readonly Uint8Array[], options: SendOptions = {}): Promise<void> {
    this.#assertOpen();
    for (const event of events) this.#assertLength(event);
    let sent = this.#isTaken ? 0 : this.trySendAll(events);
    if (sent === events.length) return;
    await this.#inTurn(options, async () => {
      for (;;) {
        sent += this.trySendAll(events, sent);
        if (sent === events.length) return;
        await this.ready(options);
      }
    });
  }

  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#assertOpen();
    await this.#stream.wait(options.signal);
    this.#assertOpen();
  }

  async close(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#stream.isSendClosing = true;
    while (this.#state.unackedCount > 0) {
      this.#assertOpen();
      await this.#stream.wait(options.signal);
    }
    this.#assertOpen();
    this.#stream.isSendClosed = true;
  }

  abort(): void {
    if (this.#stream.ended !== undefined || this.#stream.isSendClosed) return;
    this.#streams.reset(this.#stream);
  }

  /** Runs `work` when every call that came before it is done. */
  async #inTurn(
    { signal, isPatient = true }: SendOptions,
    work: () => Promise<void>,
  ): Promise<void> {
    if (!isPatient) {
      throw new NetError("backpressure", "Cannot send on stream: the peer has no room now", {
        next: "wait for ready(), or send with patience",
      });
    }
    signal?.throwIfAborted();
    if (this.#isTaken) await this.#lineUp(signal);
    this.#isTaken = true;
    try {
      await work();
    } finally {
      const next = this.#line.shift();
      if (next === undefined) this.#isTaken = false;
      else next();
    }
  }

  /** Resolves when the turn is ours. */
  #lineUp(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onTurn = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#line.splice(this.#line.indexOf(onTurn), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#line.push(onTurn);
    });
  }

  get #endedBy(): StreamEnd | undefined {
    return this.#stream.isSendClosed ? "closed" : this.#stream.ended;
  }

  #refuse(): false {
    this.#sender.noteRefusal(this.#state);
    return false;
  }

  #assertLength({ length }: Uint8Array): void {
    const bytesMax = this.eventBytesMax;
    if (length <= bytesMax) return;
    const why = bytesMax === MAX_EVENT_BYTES
      ? ""
      : bytesMax === this.#sender.payloadMax - FRAME_PREFIX_BYTES
      ? " through a relay"
      : ` with a window of ${this.#state.windowBytes} bytes`;
    throw new RangeError(
      `Cannot send event: length is ${length}, must be at most ${bytesMax}${why}`,
    );
  }

  /** Largest event there will ever be room for. */
  get eventBytesMax(): number {
    return Math.max(0, this.payloadBytesMax - FRAME_PREFIX_BYTES);
  }

  /** Bytes of framed events that one packet holds; a packet dearer than the whole window could never leave. */
  get payloadBytesMax(): number {
    const { windowBytes } = this.#state;
    const { payloadMax } = this.#sender;
    return windowBytes === 0
      ? payloadMax
      : Math.min(payloadMax, windowBytes - PACKET_OVERHEAD_BYTES);
  }

  /** Bytes that may still be sent before the peer grants more, 84 a packet included. */
  get creditBytes(): number {
    return this.#state.creditBytes;
  }

  /**
   * True when a packet of framed events may leave and an eighth of what there is room for is left to others:
   * what sends much of its own accord asks this, so that what is urgent need not wait behind it.
   *
   * @param length Bytes of all frames.
   */
  canSendBulk(length: number): boolean {
    return this.#endedBy === undefined && this.#state.canSendBulk(length) &&
      this.#sender.canSendBulk(this.#stream, length);
  }

  #assertOpen(): void {
    const reason = this.#endedBy;
    if (reason === undefined) return;
    throw new NetError("unreachable", `Cannot send on stream: ${END_TEXT[reason]}`);
  }
}

const END_TEXT: Readonly<Record<StreamEnd, string>> = {
  reset: "the peer stopped answering or reset it",
  peer_lost: "the session with the peer ended",
  replaced: "session replaced",
  gap: "a packet stayed missing for too long",
  idle: "nothing was sent for too long",
  closed: "it is closed",
};
