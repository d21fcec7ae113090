/**
 * What to make of a record whose number does not follow the one before it. Index records have no checksum, so a bit
 * of a number may be another one: where the numbers around say so, that record alone is damaged.
 */
import { SEQ_MAX } from "./limits.ts";

/** Numbers that are known to lie around a part that is scanned. */
export interface NumberBounds {
  /** Numbers below belong to an earlier segment; 0 when left out. */
  readonly seqFrom?: number;
  /** Numbers from here on belong to a later segment. */
  readonly seqEnd?: number;
  /** Numbers that this engine cannot hold are damage in any case: nothing is refused. */
  readonly isLargeSeqDamage?: boolean;
}

/** A number and those around it. */
export interface NumberPlace {
  readonly seq: number;
  /** The last sound one before it; −1 without one. */
  readonly lastSeq: number;
  /** The sound one before that; `undefined` when that record does not lie directly before this one. */
  readonly before: number | undefined;
  /** Number of the record behind it, sound or not; `undefined` at the end. */
  readonly next: number | undefined;
}

/**
 * - `sound`: goes on.
 * - `damaged`: this number is another one than was written.
 * - `last_damaged`: the number before this one is.
 * - `disorder`: this record and all behind it go (`storage.md` 3.2, step 6).
 */
export type NumberVerdict = "sound" | "damaged" | "last_damaged" | "disorder";

/** Judges one number. */
export function judgeNumber(place: NumberPlace, bounds: NumberBounds): NumberVerdict {
  const { seq, lastSeq, next } = place;
  const { seqFrom = 0, seqEnd = Infinity, isLargeSeqDamage = false } = bounds;
  if (seq <= lastSeq) return judgeLower(place, seqFrom);
  if (seq >= seqEnd) {
    return next !== undefined && next > lastSeq && next < seqEnd ? "damaged" : "disorder";
  }
  if (seq > SEQ_MAX) {
    // A log that has really come so far has more than one of them, one behind the other.
    const isStep = seq === lastSeq + 1 || next === seq + 1 || (lastSeq < 0 && next === undefined);
    const isFromThere = isStep || (lastSeq < 0 && next !== undefined && next > seq);
    return isLargeSeqDamage || !isFromThere ? "damaged" : "sound";
  }
  const isBelowAll = lastSeq < seqFrom && seq < seqFrom;
  return isBelowAll && next !== undefined && next > seqFrom ? "damaged" : "sound";
}

function judgeLower(place: NumberPlace, seqFrom: number): NumberVerdict {
  const { seq, lastSeq, before, next } = place;
  if (before !== undefined && seq > before) {
    const isReplaced = seq === Math.max(before + 1, seqFrom) + 1;
    // Of two first ones that are equal the core keeps the first.
    const isContradicted = seq >= before + 2 && next === seq + 1 && (before >= 0 || seq < lastSeq);
    // The one before is too high, and without it no number is out of order.
    if (isReplaced || isContradicted) return "last_damaged";
  }
  // This one is too low, and the next one goes on with room for it.
  return next !== undefined && next >= lastSeq + 2 && next <= SEQ_MAX ? "damaged" : "disorder";
}
