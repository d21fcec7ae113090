/**
 * Selective acknowledgements (`wire.md` 7.6): when a receiver sends one, how it is written, and what the
 * sender makes of it.
 *
 * They go out alongside NACKs, and only to peers whose announcement carries the tag. They are worth most
 * where a NACK sees nothing: beyond its 64 positions, and when a copy was lost as well.
 */

import { SACK_RANGES_MAX } from "../wire/control_frames.ts";
import { RECEIVE_RUNS_MAX, RESENDS_MAX, RETRANSMIT_TICK_MS } from "../limits.ts";
import { SACK_LOSS_THRESHOLD } from "../mesh_limits.ts";
import type { ReceiveState } from "./receive_state.ts";
import type { UnackedRing } from "./unacked_ring.ts";
import { writeNumber } from "../wire/wire_numbers.ts";

/** Most bytes of a SACK: header 16 and 16 ranges of 16. */
export const SACK_BYTES_MAX = 16 + 16 * SACK_RANGES_MAX;

/** Half-open range of packets. */
type Range = readonly [start: number, end: number];

/** When the next SACK of one stream is due; made when its first gap appears. */
export class SackSchedule {
  #consumed = -1;
  #sentAt = -Infinity;
  #isLowTurn = false;

  /** True when there is something new to say, or the last one may have been lost. */
  isDue(state: ReceiveState, now: number): boolean {
    if (!state.isReliable || !state.hasGap) return false;
    return state.totalConsumed !== this.#consumed || now - this.#sentAt >= RETRANSMIT_TICK_MS;
  }

  /**
   * Ranges to send now, highest first. With more than fit, every other SACK carries the lowest ones, so
   * that none stays untold.
   */
  take(state: ReceiveState, now: number): readonly Range[] {
    this.#consumed = state.totalConsumed;
    this.#sentAt = now;
    const ranges = state.ranges(RECEIVE_RUNS_MAX);
    if (ranges.length <= SACK_RANGES_MAX) return ranges;
    this.#isLowTurn = !this.#isLowTurn;
    return this.#isLowTurn ? ranges.slice(0, SACK_RANGES_MAX) : ranges.slice(-SACK_RANGES_MAX);
  }
}

/**
 * Writes a SACK in place.
 *
 * @param at Where the event starts in `view`; {@linkcode SACK_BYTES_MAX} bytes must be free there.
 * @param ranges 1 to 16, as {@linkcode SackSchedule.take} gives them.
 * @returns Where it ends.
 */
export function encodeSackInto(
  view: DataView,
  at: number,
  streamLow: number,
  streamHigh: number,
  ackSequence: number,
  ranges: readonly Range[],
): number {
  view.setUint32(at, streamLow, true);
  view.setUint32(at + 4, streamHigh, true);
  writeNumber(view, at + 8, ackSequence);
  let end = at + 16;
  for (const [start, rangeEnd] of ranges) {
    writeNumber(view, end, start);
    writeNumber(view, end + 8, rangeEnd);
    end += 16;
  }
  return end;
}

/** What a SACK says about packets in flight, by sequence. */
export interface SackVerdict {
  /** Packets the peer has, ascending. */
  readonly acknowledged: readonly number[];
  /** Packets it lacks although enough later ones arrived, ascending: to be sent again now. */
  readonly lost: readonly number[];
}

/**
 * Judges the packets in flight in one pass over them, however large the ranges claim to be.
 *
 * A packet counts as lost when {@linkcode SACK_LOSS_THRESHOLD} later ones are acknowledged, its last copy
 * left at least a round trip ago, and it may still be resent.
 *
 * @param ranges Highest first, disjoint, as decoded.
 * @param patienceMs A round trip with some margin: no copy younger than this is given up.
 */
export function judgeSack(
  unacked: UnackedRing,
  ackSequence: number,
  ranges: readonly Range[],
  patienceMs: number,
  now: number,
): SackVerdict {
  const acknowledged: number[] = [];
  const lost: number[] = [];
  let at = ranges.length - 1;
  for (let sequence = unacked.base; sequence < unacked.end; sequence++) {
    if (!unacked.has(sequence)) continue;
    while (at >= 0 && sequence >= (ranges[at]?.[1] ?? 0)) at -= 1;
    const start = ranges[at]?.[0];
    if (sequence < ackSequence || (start !== undefined && sequence >= start)) {
      acknowledged.push(sequence);
    } else if (
      unacked.resends(sequence) < RESENDS_MAX && now - unacked.sentAt(sequence) >= patienceMs &&
      isPassedBy(ranges, at, sequence)
    ) lost.push(sequence);
  }
  return { acknowledged, lost };
}

/** True when enough packets behind `sequence` arrived; ranges 0 to `last` lie behind it. */
function isPassedBy(ranges: readonly Range[], last: number, sequence: number): boolean {
  let passed = 0;
  for (let i = last; i >= 0 && passed < SACK_LOSS_THRESHOLD; i--) {
    const [start, end] = ranges[i] ?? [sequence, sequence];
    passed += end - start;
  }
  return passed >= SACK_LOSS_THRESHOLD;
}
