/** Work on many items, a bounded number of them at a time. */

/** Members probed, or called, at once (`validation.md` 6). */
export const PROBES_MAX = 16;

/** Results in the order of the items, with at most `countMax` of them in work. */
export async function inParallel<T, R>(
  items: readonly T[],
  countMax: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) {
      const item = items[at];
      if (item !== undefined) results[at] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(countMax, items.length) }, worker));
  return results;
}
