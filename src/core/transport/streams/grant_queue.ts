/**
 * Collects the acknowledgements a session owes and sends them together (`wire.md` 7.3, 7.5, 7.6).
 *
 * Per stream only the newest value counts, so a burst of packets costs one grant.
 */

import type { Clock } from "../../../base/mod.ts";
import {
  encodeGrantInto,
  encodeNackInto,
  GRANT_BYTES,
  NACK_BYTES,
} from "../wire/control_frames.ts";
import { FRAME_PREFIX_BYTES } from "../wire/event_frame.ts";
import { GRANT_DELAY_MS } from "../limits.ts";
import { NO_ROOM } from "./packet_store.ts";
import type { ReceiveState } from "./receive_state.ts";
import { MAX_RELAYED_PAYLOAD } from "../wire/routing_header.ts";
import { encodeSackInto, SACK_BYTES_MAX, SackSchedule } from "./sack.ts";
import type { Stream } from "./stream.ts";
import { SUBPROTOCOL_GRANT, SUBPROTOCOL_NACK, SUBPROTOCOL_SACK } from "../wire/subprotocols.ts";

/** Grants that fit one packet, relayed or not: 8090 / 28. */
const GRANTS_MAX = Math.floor(MAX_RELAYED_PAYLOAD / (GRANT_BYTES + FRAME_PREFIX_BYTES));

/** Where control events are written, and how they leave. */
export interface ControlWriter {
  readonly view: DataView;
  /** Where the events of one packet go in `view`, 8108 bytes, or {@linkcode NO_ROOM}. */
  begin(): number;
  /** Sends the packet begun: `count` events framed in its first `length` bytes. */
  finish(subprotocol: number, length: number, count: number): void;
  /** True when the peer understands SACKs by now. */
  takesAckRanges(): boolean;
}

/** Acknowledgements of one session that are yet to be sent. */
export class GrantQueue {
  readonly #clock: Clock;
  readonly #writer: ControlWriter;
  #streams: Stream[] = [];
  #states: ReceiveState[] = [];
  /** Flushed arrays, to be filled again. */
  #spareStreams: Stream[] = [];
  #spareStates: ReceiveState[] = [];
  #cancelTimer: (() => void) | undefined;
  readonly #onTimer = () => {
    this.#cancelTimer = undefined;
    this.flush();
  };

  constructor(clock: Clock, writer: ControlWriter) {
    this.#clock = clock;
    this.#writer = writer;
  }

  /** Queues the stream's acknowledgement; `isDue` sends everything queued at once. */
  add(stream: Stream, state: ReceiveState, isDue: boolean): void {
    if (!stream.isGrantPending) {
      stream.isGrantPending = true;
      this.#streams.push(stream);
      this.#states.push(state);
    }
    if (isDue || this.#streams.length >= GRANTS_MAX) this.flush();
    else this.#cancelTimer ??= this.#clock.after(GRANT_DELAY_MS, this.#onTimer);
  }

  /** Sends what is queued. */
  flush(): void {
    const streams = this.#streams;
    const states = this.#states;
    if (streams.length === 0) return;
    const start = this.#writer.begin();
    if (start === NO_ROOM) {
      // Nothing can be sent right now; acknowledgements are owed all the same.
      this.#cancelTimer ??= this.#clock.after(GRANT_DELAY_MS, this.#onTimer);
      return;
    }
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#streams = this.#spareStreams;
    this.#states = this.#spareStates;
    this.#sendGrants(start, streams, states);
    if (this.#sendMissing(streams, states) && this.#writer.takesAckRanges()) {
      this.#sendRanges(streams, states);
    }
    streams.length = 0;
    states.length = 0;
    this.#spareStreams = streams;
    this.#spareStates = states;
  }

  #sendGrants(start: number, streams: readonly Stream[], states: readonly ReceiveState[]): void {
    const { view } = this.#writer;
    let at = start;
    for (let i = 0; i < streams.length; i++) {
      const stream = streams[i] as Stream;
      const state = states[i] as ReceiveState;
      stream.isGrantPending = false;
      stream.grantedBytes = state.released;
      stream.grantedPackets = state.packets;
      view.setUint32(at, GRANT_BYTES, true);
      at = encodeGrantInto(
        view,
        at + FRAME_PREFIX_BYTES,
        stream.low,
        stream.high,
        state.released,
        state.isReliable ? state.nextExpected : 0,
      );
    }
    this.#writer.finish(SUBPROTOCOL_GRANT, at - start, streams.length);
  }

  /** Asks again for what is missing; false when nothing is. */
  #sendMissing(streams: readonly Stream[], states: readonly ReceiveState[]): boolean {
    const { view } = this.#writer;
    let start = NO_ROOM;
    let at = 0;
    let count = 0;
    for (let i = 0; i < streams.length; i++) {
      const missing = (states[i] as ReceiveState).missing();
      if (missing === undefined) continue;
      if (count === 0) at = start = this.#writer.begin();
      if (start === NO_ROOM) return false;
      const stream = streams[i] as Stream;
      view.setUint32(at, NACK_BYTES, true);
      at = encodeNackInto(view, at + FRAME_PREFIX_BYTES, stream.low, stream.high, missing);
      count += 1;
    }
    if (count > 0) this.#writer.finish(SUBPROTOCOL_NACK, at - start, count);
    return count > 0;
  }

  /** Tells what lies behind the gaps, to peers that understand it. */
  #sendRanges(streams: readonly Stream[], states: readonly ReceiveState[]): void {
    const { view } = this.#writer;
    const now = this.#clock.now();
    let start = NO_ROOM;
    let at = 0;
    let count = 0;
    for (let i = 0; i < streams.length; i++) {
      const stream = streams[i] as Stream;
      const state = states[i] as ReceiveState;
      if (!state.hasGap) continue;
      stream.sack ??= new SackSchedule();
      if (!stream.sack.isDue(state, now)) continue;
      if (count > 0 && at - start + FRAME_PREFIX_BYTES + SACK_BYTES_MAX > MAX_RELAYED_PAYLOAD) {
        this.#writer.finish(SUBPROTOCOL_SACK, at - start, count);
        count = 0;
      }
      if (count === 0) at = start = this.#writer.begin();
      if (start === NO_ROOM) return;
      const ranges = stream.sack.take(state, now);
      const from = at + FRAME_PREFIX_BYTES;
      const end = encodeSackInto(view, from, stream.low, stream.high, state.nextExpected, ranges);
      view.setUint32(at, end - from, true);
      at = end;
      count += 1;
    }
    if (count > 0) this.#writer.finish(SUBPROTOCOL_SACK, at - start, count);
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
