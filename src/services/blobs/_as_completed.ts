/** Results of many jobs in the order in which they come. */

/**
 * Runs `work` on every item, so many at once; leaving the loop stops what has not begun.
 *
 * @param work Must not reject.
 */
export async function* asCompleted<Item, Result>(
  items: Iterable<Item>,
  parallel: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const waiting = items[Symbol.iterator]();
  const running = new Map<number, Promise<readonly [number, Result]>>();
  let count = 0;
  const fill = () => {
    while (running.size < parallel) {
      const next = waiting.next();
      if (next.done) return;
      const number = count++;
      running.set(number, work(next.value).then((result) => [number, result] as const));
    }
  };
  for (fill(); running.size > 0; fill()) {
    const [number, result] = await Promise.race(running.values());
    running.delete(number);
    yield result;
  }
}
