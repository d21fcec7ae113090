/**
 * A stream: the state of one (session, stream id), in both directions (`wire.md` 7.1).
 *
 * There is no open or close on the wire; first touch creates a stream, silence or RESET ends it.
 */

import { joinHalves } from "../../../base/mod.ts";
import { NO_QUEUE } from "../routing/fair_scheduler.ts";
import type { ReceiveState } from "./receive_state.ts";
import type { ReorderBuffer } from "./reorder_buffer.ts";
import type { SackSchedule } from "./sack.ts";
import type { SendState } from "./send_state.ts";
import { NO_LABEL, type StreamLabel } from "./stream_label.ts";
import type { ReceiveStreamHandler, StreamEnd } from "../types.ts";

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** State of one stream. */
export class Stream {
  readonly low: number;
  readonly high: number;
  send: SendState | undefined;
  receive: ReceiveState | undefined;
  /** Where its packets wait for their turn when it is scheduled. */
  queue = NO_QUEUE;
  /** What the headers of its packets say beside. */
  label: StreamLabel = NO_LABEL;
  /** Halves that silence does not end. */
  isSendKept = false;
  isReceiveKept = false;
  /** Its sender's word that it repeats what was lost is not believed. */
  isFlagIgnored = false;
  /** Most bytes its reader may hold; packets beyond that are refused. */
  heldBytesMax = Infinity;
  /** Takes the events; events without one go to the transport's own handler. */
  handler: ReceiveStreamHandler | undefined;
  /** Whoever sends on it hears of its end. */
  onSendEnd: ((reason: StreamEnd) => void) | undefined;
  /** Bytes accepted that make a grant due at once. */
  grantThresholdBytes = 0;
  /** `totalConsumed` of the last grant sent. */
  grantedBytes = 0;
  /** Packets accepted when the last grant left. */
  grantedPackets = 0;
  isGrantPending = false;
  /** The last grant repaired a loss and is sent once more at the next tick. */
  repeatsGrant = false;
  /** When to tell again of credit that a reader gave back; 0 when there is no need. */
  creditRepeatAt = 0;
  creditPauseMs = 0;
  /** Events handed to a reader. */
  eventsReceived = 0;
  /** Origin hash in the header of its latest packet. */
  originLow = 0;
  originHigh = 0;
  /** Puts packets in order before they are handed on; left out, they go as they arrive. */
  reorder: ReorderBuffer | undefined;
  /** When to tell which packets behind a gap arrived; made when that is first wanted. */
  sack: SackSchedule | undefined;
  lastActiveAt: number;
  /** The user is done with receiving; copies are still acknowledged for a while. */
  isReceiveClosed = false;
  /** The user is done with sending and waits for what was sent to be acknowledged. */
  isSendClosing = false;
  /** All of it was acknowledged. */
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
    const { handler, onSendEnd } = this;
    this.handler = undefined;
    this.onSendEnd = undefined;
    this.wake();
    if (reason === "closed") return;
    handler?.onEnd(reason);
    onSendEnd?.(reason);
  }

  /** True when neither half is in use any more. */
  get isClosed(): boolean {
    return (this.send === undefined || this.isSendClosed) &&
      (this.receive === undefined || this.isReceiveClosed);
  }

  /** True when somebody waits to be woken. */
  get isWaitedFor(): boolean {
    return this.#waiters.length > 0;
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
