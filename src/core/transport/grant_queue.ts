/**
 * Collects the acknowledgements a session owes and sends them together (`wire.md` 7.3, 7.5, 7.6).
 *
 * Per stream only the newest value counts, so a burst of packets costs one grant.
 */

import type { Clock } from "../../base/mod.ts";
import { encodeGrantInto, encodeNackInto, GRANT_BYTES, NACK_BYTES } from "./control_frames.ts";
import { MAX_PAYLOAD } from "./header.ts";
import { GRANT_DELAY_MS } from "./limits.ts";
import type { ReceiveState } from "./receive_state.ts";
import { encodeSackInto, SACK_BYTES_MAX, SackSchedule } from "./sack.ts";
import type { Stream } from "./stream.ts";

const SUBPROTOCOL_GRANT = 0x0b00;
const SUBPROTOCOL_NACK = 0x0b01;
const SUBPROTOCOL_SACK = 0x0b03;
const FRAME_PREFIX_BYTES = 4;
/** Grants that fit one packet: 8108 / 28. */
const GRANTS_MAX = Math.floor(MAX_PAYLOAD / (GRANT_BYTES + FRAME_PREFIX_BYTES));

/** Sends `count` events framed in the first `length` bytes of `payload`. */
export type SendControl = (
  subprotocol: number,
  payload: Uint8Array,
  length: number,
  count: number,
) => void;

/** Acknowledgements of one session that are yet to be sent. */
export class GrantQueue {
  readonly #clock: Clock;
  readonly #send: SendControl;
  readonly #takesAckRanges: () => boolean;
  #streams: Stream[] = [];
  #states: ReceiveState[] = [];
  #cancelTimer: (() => void) | undefined;
  /** Made when first needed: many sessions never receive. */
  #payload: Uint8Array | undefined;

  /** @param takesAckRanges Whether the peer understands SACKs by now. */
  constructor(clock: Clock, send: SendControl, takesAckRanges: () => boolean = () => false) {
    this.#clock = clock;
    this.#send = send;
    this.#takesAckRanges = takesAckRanges;
  }

  /** Queues the stream's acknowledgement; `isDue` sends everything queued at once. */
  add(stream: Stream, state: ReceiveState, isDue: boolean): void {
    if (!stream.isGrantPending) {
      stream.isGrantPending = true;
      this.#streams.push(stream);
      this.#states.push(state);
    }
    if (isDue || this.#streams.length >= GRANTS_MAX) this.flush();
    else {
      this.#cancelTimer ??= this.#clock.after(GRANT_DELAY_MS, () => {
        this.#cancelTimer = undefined;
        this.flush();
      });
    }
  }

  /** Sends what is queued. */
  flush(): void {
    const streams = this.#streams;
    const states = this.#states;
    this.clear();
    if (streams.length === 0) return;
    const payload = this.#payload ??= new Uint8Array(MAX_PAYLOAD);
    const view = new DataView(payload.buffer);
    let at = 0;
    for (let i = 0; i < streams.length; i++) {
      const stream = streams[i] as Stream;
      const state = states[i] as ReceiveState;
      stream.grantedBytes = state.totalConsumed;
      view.setUint32(at, GRANT_BYTES, true);
      at = encodeGrantInto(
        view,
        at + FRAME_PREFIX_BYTES,
        stream.low,
        stream.high,
        state.totalConsumed,
        state.isReliable ? state.nextExpected : 0,
      );
    }
    this.#send(SUBPROTOCOL_GRANT, payload, at, streams.length);
    at = 0;
    let count = 0;
    for (let i = 0; i < streams.length; i++) {
      const missing = (states[i] as ReceiveState).missing();
      if (missing === undefined) continue;
      const stream = streams[i] as Stream;
      view.setUint32(at, NACK_BYTES, true);
      at = encodeNackInto(view, at + FRAME_PREFIX_BYTES, stream.low, stream.high, missing);
      count += 1;
    }
    if (count > 0) this.#send(SUBPROTOCOL_NACK, payload, at, count);
    if (count > 0 && this.#takesAckRanges()) this.#sendRanges(streams, states, payload, view);
  }

  /** Tells what lies behind the gaps, to peers that understand it. */
  #sendRanges(
    streams: readonly Stream[],
    states: readonly ReceiveState[],
    payload: Uint8Array,
    view: DataView,
  ): void {
    const now = this.#clock.now();
    let at = 0;
    let count = 0;
    for (let i = 0; i < streams.length; i++) {
      const stream = streams[i] as Stream;
      const state = states[i] as ReceiveState;
      if (!state.hasGap) continue;
      stream.sack ??= new SackSchedule();
      if (!stream.sack.isDue(state, now)) continue;
      if (at + FRAME_PREFIX_BYTES + SACK_BYTES_MAX > payload.length) {
        this.#send(SUBPROTOCOL_SACK, payload, at, count);
        at = count = 0;
      }
      const start = at + FRAME_PREFIX_BYTES;
      const { low, high } = stream;
      const ranges = stream.sack.take(state, now);
      const end = encodeSackInto(view, start, low, high, state.nextExpected, ranges);
      view.setUint32(at, end - start, true);
      at = end;
      count += 1;
    }
    if (count > 0) this.#send(SUBPROTOCOL_SACK, payload, at, count);
  }

  /** Drops what is queued. */
  clear(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const stream of this.#streams) stream.isGrantPending = false;
    this.#streams = [];
    this.#states = [];
  }
}
