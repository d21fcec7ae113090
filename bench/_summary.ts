/** Median and spread of repeated measurements. */

/** What repeated measurements say. */
export interface Summary {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Summarizes at least one value. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? NaN;
  return { median: at(sorted.length >> 1), low: at(0), high: at(sorted.length - 1) };
}
