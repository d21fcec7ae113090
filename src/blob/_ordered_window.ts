/** Works on several items at once and hands the results out in order. */
import { toHex } from "../base/mod.ts";

/** Options of {@linkcode inOrder}. */
export interface InOrderOptions {
  /** Items in work or done and not yet handed out. */
  readonly windowMax: number;
  /** Bytes of them, by their sizes; one item is always let in. No bound when left out. */
  readonly bytesMax?: number;
  readonly signal?: AbortSignal;
}

/**
 * Yields `work(item)` of each item, in order. Items of the same hash in the window share one result.
 * When the loop over this ends early, or one item fails, the others are aborted and waited for.
 */
export async function* inOrder<
  T extends { readonly hash: Uint8Array; readonly size?: number | undefined },
  R,
>(
  items: readonly T[],
  work: (item: T, index: number, signal: AbortSignal) => Promise<R>,
  options: InOrderOptions,
): AsyncGenerator<R, void, undefined> {
  const { windowMax, bytesMax = Infinity, signal } = options;
  const abort = new AbortController();
  const onAbort = () => abort.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  const window: { readonly key: string; readonly size: number; readonly result: Promise<R> }[] = [];
  let windowBytes = 0;
  let next = 0;
  const fill = () => {
    for (; next < items.length && window.length < windowMax; next++) {
      const item = items[next];
      if (item === undefined) break;
      const size = item.size ?? 0;
      if (window.length > 0 && windowBytes + size > bytesMax) break;
      const key = toHex(item.hash);
      const twin = window.find((entry) => entry.key === key);
      const result = twin?.result ?? work(item, next, abort.signal);
      result.catch(() => {}); // Seen when its turn comes; until then it must not count as unhandled.
      window.push({ key, size, result });
      windowBytes += size;
    }
  };
  try {
    for (;;) {
      fill();
      const first = window[0];
      if (first === undefined) break;
      const result = await first.result;
      window.shift();
      windowBytes -= first.size;
      // Before the consumer takes its time, so that the next one is under way meanwhile.
      fill();
      yield result;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    abort.abort(new DOMException("No longer needed", "AbortError"));
    await Promise.allSettled(window.map(({ result }) => result));
  }
}
