/**
 * Which time belongs to which record of a segment.
 *
 * The file of times may lack some: then the records that were there when the segment was opened have
 * the time of opening, and later ones find theirs so many places further ahead (`storage.md` 3.2, step 7).
 */

/** Places of the times of a segment. */
export interface SegmentTimes {
  /** Times in the file. */
  readonly entries: number;
  /** Sound records, from the first on, of which no time is known. */
  readonly unknownCount: number;
  /** What these have instead, Unix nanoseconds. */
  readonly unknownNs: bigint;
  /** So many places ahead of its rank is the time of a record. */
  readonly shift: number;
}

/** Times that are all there. */
export function alignedTimes(entries: number): SegmentTimes {
  return { entries, unknownCount: 0, unknownNs: 0n, shift: 0 };
}

/** Times of `count` records of which only `entries` are there. */
export function shortTimes(entries: number, count: number, unknownNs: bigint): SegmentTimes {
  return { entries, unknownCount: count, unknownNs, shift: count - entries };
}
