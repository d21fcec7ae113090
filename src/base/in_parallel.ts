/** Work on many items, a bounded number of them at a time. */

/**
 * Results in the order of the items, with at most `countMax` of them in work.
 *
 * @throws What the first of those that failed threw, after all work has ended: nothing runs on behind the caller.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  countMax: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const takeTurns = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T);
  };
  const workers = Array.from({ length: Math.min(countMax, items.length) }, takeTurns);
  for (const one of await Promise.allSettled(workers)) {
    if (one.status === "rejected") throw one.reason;
  }
  return results;
}
