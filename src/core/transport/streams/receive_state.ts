/**
 * Receiving half of a stream: which packets arrived, what to acknowledge, what to ask for again
 * (`wire.md` 7.3, 7.5). Pure; knows nothing of packets on the wire.
 */

import { RECEIVE_RUNS_MAX, STREAM_WINDOW_BYTES } from "../limits.ts";

/** What became of one arriving packet. */
export type Acceptance = "accepted" | "duplicate" | "out_of_horizon" | "too_many_runs";

/** Options of {@linkcode ReceiveState}. */
export interface ReceiveStateOptions {
  /** Credit window the sender is assumed to have; sizes the reorder horizon. */
  readonly windowBytes?: number;
  /** Unreliable streams accept everything and acknowledge nothing. */
  readonly isReliable: boolean;
}

/** The gap report of a NACK. */
export interface MissingPackets {
  /** Lowest packet not received. */
  readonly nextExpected: number;
  /** Bit i set: packet `nextExpected + 1 + i` is missing too. Bits 0..31. */
  readonly bitmapLow: number;
  /** Bits 32..63. */
  readonly bitmapHigh: number;
}

/** How far above the lowest missing packet one is still taken. */
export function receiveHorizon(windowBytes: number): number {
  return Math.min(Math.max(Math.floor(windowBytes / 512), 64), 16_384);
}

/** Packets received on one stream. */
export class ReceiveState {
  /** Fixed with the first packet. */
  isReliable: boolean;
  /** Bytes accepted since the stream began: 84 + payload for each packet. */
  totalConsumed = 0;
  /** Bytes of them that the reader has not yet taken: they earn the sender no credit (`wire.md` 7.3). */
  heldBytes = 0;
  /** Packets accepted, packets that had come before, packets refused; for statistics. */
  packets = 0;
  duplicates = 0;
  refused = 0;
  /** Lowest sequence not yet received contiguously; the `ack_seq` of a grant. */
  nextExpected = 0;
  readonly #horizon: number;
  /** Runs above the gap, ascending: start, end (exclusive), start, end, … */
  #runs: number[] = [];

  constructor(options: ReceiveStateOptions) {
    this.isReliable = options.isReliable;
    this.#horizon = receiveHorizon(options.windowBytes ?? STREAM_WINDOW_BYTES);
  }

  /** Bytes to grant: what was accepted and is not held. */
  get released(): number {
    return this.totalConsumed - this.heldBytes;
  }

  /** True while a packet below the highest received one is missing. */
  get hasGap(): boolean {
    return this.#runs.length > 0;
  }

  /**
   * Takes note of one packet.
   *
   * @param sequence The packet's number.
   * @param wireBytes Its cost in credit: 84 + payload.
   */
  accept(sequence: number, wireBytes: number): Acceptance {
    const verdict = this.#judge(sequence, wireBytes);
    if (verdict === "accepted") this.packets += 1;
    else if (verdict === "duplicate") this.duplicates += 1;
    else this.refused += 1;
    return verdict;
  }

  #judge(sequence: number, wireBytes: number): Acceptance {
    if (!this.isReliable) {
      this.totalConsumed += wireBytes;
      return "accepted";
    }
    if (sequence < this.nextExpected) return "duplicate";
    if (sequence === this.nextExpected) {
      this.nextExpected += 1;
      if (this.#runs[0] === this.nextExpected) {
        this.nextExpected = this.#runs[1] as number;
        this.#runs.splice(0, 2);
      }
      this.totalConsumed += wireBytes;
      return "accepted";
    }
    if (sequence - this.nextExpected > this.#horizon) return "out_of_horizon";
    const verdict = this.#addToRuns(sequence);
    if (verdict === "accepted") this.totalConsumed += wireBytes;
    return verdict;
  }

  /** True when the packet was received already. */
  has(sequence: number): boolean {
    if (sequence < this.nextExpected) return true;
    const runs = this.#runs;
    for (let i = 0; i < runs.length; i += 2) {
      if (sequence >= (runs[i] as number) && sequence < (runs[i + 1] as number)) return true;
    }
    return false;
  }

  /** What to ask for again, or `undefined` when nothing is missing. */
  missing(): MissingPackets | undefined {
    if (!this.isReliable || this.#runs.length === 0) return undefined;
    const base = this.nextExpected + 1;
    const highest = (this.#runs[this.#runs.length - 1] as number) - 1;
    // Beyond 64 positions every hole inside the bitmap is known to be missing; otherwise only up to
    // the highest packet received.
    const limit = highest >= base + 64 ? 64 : highest - base + 1;
    let bitmapLow = 0;
    let bitmapHigh = 0;
    for (let i = 0; i < limit; i++) {
      if (this.has(base + i)) continue;
      if (i < 32) bitmapLow |= 1 << i;
      else bitmapHigh |= 1 << (i - 32);
    }
    return {
      nextExpected: this.nextExpected,
      bitmapLow: bitmapLow >>> 0,
      bitmapHigh: bitmapHigh >>> 0,
    };
  }

  /** Received ranges above the gap, highest first, at most `limit`: the ranges of a SACK. */
  ranges(limit: number): [start: number, end: number][] {
    const ranges: [number, number][] = [];
    for (let i = this.#runs.length - 2; i >= 0 && ranges.length < limit; i -= 2) {
      ranges.push([this.#runs[i] as number, this.#runs[i + 1] as number]);
    }
    return ranges;
  }

  #addToRuns(sequence: number): Acceptance {
    const runs = this.#runs;
    let i = 0;
    while (i < runs.length && (runs[i + 1] as number) < sequence) i += 2;
    if (i < runs.length) {
      const start = runs[i] as number;
      const end = runs[i + 1] as number;
      if (sequence >= start && sequence < end) return "duplicate";
      if (sequence === end) {
        runs[i + 1] = end + 1;
        if (runs[i + 2] === end + 1) runs.splice(i + 1, 2);
        return "accepted";
      }
      if (sequence === start - 1) {
        runs[i] = sequence;
        return "accepted";
      }
    }
    if (runs.length >= RECEIVE_RUNS_MAX * 2) return "too_many_runs";
    runs.splice(i, 0, sequence, sequence + 1);
    return "accepted";
  }
}
