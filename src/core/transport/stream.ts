/**
 * A stream: the state of one (session, stream id), in both directions (`wire.md` 7.1).
 *
 * There is no open or close on the wire; first touch creates a stream, silence or RESET ends it.
 */

import { joinHalves, NetError } from "../../base/mod.ts";
import { FRAME_PREFIX_BYTES } from "./event_frame.ts";
import { MAX_EVENT_BYTES, MAX_PAYLOAD } from "./header.ts";
import type { ReceiveState } from "./receive_state.ts";
import type { ReorderBuffer } from "./reorder_buffer.ts";
import type { SackSchedule } from "./sack.ts";
import type { SendState } from "./send_state.ts";
import type { Session } from "./session.ts";
import type { ReceiveStreamHandler, SendStream, StreamEnd } from "./types.ts";

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const EMPTY = new Uint8Array(0);

/** State of one stream. */
export class Stream {
  readonly low: number;
  readonly high: number;
  send: SendState | undefined;
  receive: ReceiveState | undefined;
  /** Takes the events; events without one go to the transport's own handler. */
  handler: ReceiveStreamHandler | undefined;
  /** Bytes accepted that make a grant due at once. */
  grantThresholdBytes = 0;
  /** `totalConsumed` of the last grant sent. */
  grantedBytes = 0;
  /** Packets accepted when the last grant left. */
  grantedPackets = 0;
  isGrantPending = false;
  /** Events handed to a reader. */
  eventsReceived = 0;
  /** Puts packets in order before they are handed on; left out, they go as they arrive. */
  reorder: ReorderBuffer | undefined;
  /** When to tell which packets behind a gap arrived; made when that is first wanted. */
  sack: SackSchedule | undefined;
  lastActiveAt: number;
  /** The user is done with receiving; copies are still acknowledged for a while. */
  isReceiveClosed = false;
  /** The user is done with sending. */
  isSendClosed = false;
  ended: StreamEnd | undefined;
  #waiters: Waiter[] = [];

  #id: bigint | undefined;

  constructor(low: number, high: number, now: number) {
    this.low = low;
    this.high = high;
    this.lastActiveAt = now;
  }

  /** The id as one number. */
  get id(): bigint {
    return this.#id ??= joinHalves(this.low, this.high);
  }

  /** Ends the stream and tells whoever waits for it. */
  end(reason: StreamEnd): void {
    if (this.ended !== undefined) return;
    this.ended = reason;
    this.send?.clear();
    this.reorder?.discard();
    const handler = this.handler;
    this.handler = undefined;
    this.wake();
    if (reason !== "closed") handler?.onEnd(reason);
  }

  /** True when neither half is in use any more. */
  get isClosed(): boolean {
    return (this.send === undefined || this.isSendClosed) &&
      (this.receive === undefined || this.isReceiveClosed);
  }

  /** Lets waiting senders look again. */
  wake(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve();
  }

  /** Resolves at the next {@linkcode Stream.wake}. */
  wait(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const at = this.#waiters.indexOf(waiter);
        if (at >= 0) this.#waiters.splice(at, 1);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        resolve: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
        reject,
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }
}

/** The sending half as the planes above see it. */
export class SendStreamHandle implements SendStream {
  readonly peer: bigint;
  readonly streamId: bigint;
  readonly #session: Session;
  readonly #stream: Stream;
  readonly #state: SendState;
  /** The one event of a call that sends one. */
  readonly #single: [Uint8Array] = [EMPTY];

  constructor(session: Session, stream: Stream, state: SendState) {
    this.peer = session.peer.nodeId;
    this.streamId = stream.id;
    this.#session = session;
    this.#stream = stream;
    this.#state = state;
  }

  trySend(event: Uint8Array): boolean {
    this.#assertOpen();
    if (event.length > MAX_EVENT_BYTES) {
      throw new RangeError(
        `Cannot send event: length is ${event.length}, must be at most ${MAX_EVENT_BYTES}`,
      );
    }
    const length = FRAME_PREFIX_BYTES + event.length;
    if (!this.#state.canSend(length)) return false;
    this.#single[0] = event;
    const { streams } = this.#session;
    const isSent = streams.send(this.#stream, this.#state, this.#single, 0, 1, length);
    this.#single[0] = EMPTY;
    return isSent;
  }

  /**
   * Sends as many of `events` as fit, many per packet.
   *
   * @returns How many were taken, counted from `start`.
   */
  trySendAll(events: readonly Uint8Array[], start = 0): number {
    this.#assertOpen();
    const { streams } = this.#session;
    let taken = start;
    while (taken < events.length) {
      let length = 0;
      let end = taken;
      while (end < events.length) {
        const event = events[end] as Uint8Array;
        if (event.length > MAX_EVENT_BYTES) {
          throw new RangeError(
            `Cannot send event: length is ${event.length}, must be at most ${MAX_EVENT_BYTES}`,
          );
        }
        if (length + FRAME_PREFIX_BYTES + event.length > MAX_PAYLOAD) break;
        length += FRAME_PREFIX_BYTES + event.length;
        end += 1;
      }
      if (!this.#state.canSend(length)) break;
      if (!streams.send(this.#stream, this.#state, events, taken, end, length)) break;
      taken = end;
    }
    return taken - start;
  }

  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#assertOpen();
    await this.#stream.wait(options.signal);
    this.#assertOpen();
  }

  async close(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    while (this.#state.unackedCount > 0) {
      this.#assertOpen();
      await this.#stream.wait(options.signal);
    }
    this.#assertOpen();
    this.#stream.isSendClosed = true;
  }

  abort(): void {
    if (this.#stream.ended !== undefined || this.#stream.isSendClosed) return;
    this.#session.streams.reset(this.#stream);
  }

  #assertOpen(): void {
    const reason = this.#stream.isSendClosed ? "closed" : this.#stream.ended;
    if (reason === undefined) return;
    throw new NetError("unreachable", `Cannot send on stream: ${END_TEXT[reason]}`);
  }
}

const END_TEXT: Readonly<Record<StreamEnd, string>> = {
  reset: "the peer stopped answering or reset it",
  peer_lost: "the session with the peer ended",
  replaced: "session replaced",
  gap: "a packet stayed missing for too long",
  closed: "it is closed",
};
