/** Works on items that come one after the other, several at once, and gives the results in order. */
import { toHex } from "../base/mod.ts";

/** What is worked on. */
export interface ReadAheadItem {
  readonly hash: Uint8Array;
  /** Bytes it takes when it is there; counted as none when nobody knows. */
  readonly size?: number | undefined;
}

/** Options of {@linkcode readAhead}. */
export interface ReadAheadOptions {
  /** Items in work or done and not yet given. */
  readonly itemsMax: number;
  /** Bytes of them; one item is always let in. No bound when left out. */
  readonly bytesMax?: number;
  /** False works on items of the same hash one by one; true when left out. */
  readonly sharesTwins?: boolean;
  readonly signal?: AbortSignal;
}

interface Entry<T, R> {
  readonly item: T;
  readonly key: string;
  readonly result: Promise<R>;
}

/**
 * Yields `work(item)` of each item, in order; items of the same hash that are in work share a result. When the
 * loop over this ends early, or one fails, the others are aborted and waited for.
 */
export async function* readAhead<T extends ReadAheadItem, R>(
  items: AsyncIterable<T> | Iterable<T>,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  { itemsMax, bytesMax = Infinity, sharesTwins = true, signal }: ReadAheadOptions,
): AsyncGenerator<readonly [T, R], void, undefined> {
  const abort = new AbortController();
  const onAbort = () => abort.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  const source = Symbol.asyncIterator in items
    ? items[Symbol.asyncIterator]()
    : items[Symbol.iterator]();
  const window: Entry<T, R>[] = [];
  let windowBytes = 0;
  let isEnded = false;
  let failure: { readonly error: unknown } | undefined;
  let pumping: Promise<void> | undefined;
  /** The item that found no room. */
  let held: T | undefined;
  const admit = (item: T): boolean => {
    const isOver = windowBytes + sizeOf(item) > bytesMax || window.length >= itemsMax;
    if (window.length > 0 && isOver) return false;
    const key = toHex(item.hash);
    const twin = sharesTwins ? window.find((entry) => entry.key === key) : undefined;
    const result = twin?.result ?? work(item, abort.signal);
    result.catch(() => {}); // Seen when its turn comes; until then it must not count as unhandled.
    window.push({ item, key, result });
    windowBytes += sizeOf(item);
    return true;
  };
  const pump = async (): Promise<void> => {
    while (!isEnded && window.length < itemsMax) {
      if (held === undefined) {
        const next = await source.next();
        if (next.done) isEnded = true;
        else held = next.value;
      }
      if (held === undefined || !admit(held)) return;
      held = undefined;
    }
  };
  const fill = (): Promise<void> => {
    pumping ??= pump().catch((error: unknown) => {
      failure = { error };
      isEnded = true;
    }).finally(() => pumping = undefined);
    return pumping;
  };
  try {
    for (;;) {
      const filling = fill();
      if (window.length === 0) {
        await filling;
        if (window.length === 0) {
          if (failure !== undefined) throw failure.error;
          if (isEnded) return;
          continue;
        }
      }
      const first = window[0];
      if (first === undefined) continue;
      const result = await first.result;
      window.shift();
      windowBytes -= sizeOf(first.item);
      void fill();
      yield [first.item, result];
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    abort.abort(new DOMException("No longer needed", "AbortError"));
    await pumping;
    await Promise.allSettled(window.map(({ result }) => result));
    await source.return?.();
  }
}

function sizeOf({ size }: ReadAheadItem): number {
  return size ?? 0;
}
