/** Ranges of 64-bit numbers, as filters name them. */

/** Numbers that are wanted; parts left out are no bound. */
export interface U64Range {
  /** Above. */
  readonly gt?: bigint;
  /** At least. */
  readonly gte?: bigint;
  /** Below. */
  readonly lt?: bigint;
  /** At most. */
  readonly lte?: bigint;
}

/** Both ends of a range, included, as halves. */
export interface U64Bounds {
  readonly lowMin: number;
  readonly highMin: number;
  readonly lowMax: number;
  readonly highMax: number;
}

const U64_MAX = (1n << 64n) - 1n;

/**
 * The bounds of what all the ranges allow; `undefined` when that is everything, `"none"` when nothing. Bounds
 * outside 0..2^64-1 are as good as the end on their side.
 */
export function boundsOf(
  ...ranges: readonly (U64Range | undefined)[]
): U64Bounds | "none" | undefined {
  let [min, max] = [0n, U64_MAX];
  for (const range of ranges) {
    if (range === undefined) continue;
    const { gt, gte, lt, lte } = range;
    if (gt !== undefined && gt >= min) min = gt + 1n;
    if (gte !== undefined && gte > min) min = gte;
    if (lt !== undefined && lt <= max) max = lt - 1n;
    if (lte !== undefined && lte < max) max = lte;
  }
  if (min > max) return "none";
  if (min === 0n && max === U64_MAX) return undefined;
  return {
    lowMin: Number(min & 0xffffffffn),
    highMin: Number(min >> 32n),
    lowMax: Number(max & 0xffffffffn),
    highMax: Number(max >> 32n),
  };
}
