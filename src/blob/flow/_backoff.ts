/** Who or what is left alone for a while because it failed, each time for longer. */
import { RETRY_MAX_MS } from "./limits.ts";

/** Failures by key, a bounded number. */
export class Backoff<K> {
  readonly #entries = new Map<K, { readonly count: number; readonly untilMs: number }>();
  readonly #firstMs: number;
  readonly #entriesMax: number;

  constructor(firstMs: number, entriesMax: number) {
    this.#firstMs = firstMs;
    this.#entriesMax = entriesMax;
  }

  /** True while it is left alone. */
  isOff(key: K, nowMs: number): boolean {
    return nowMs < (this.#entries.get(key)?.untilMs ?? -Infinity);
  }

  /** It failed once more. */
  fail(key: K, nowMs: number): void {
    const count = (this.#entries.get(key)?.count ?? 0) + 1;
    const pauseMs = Math.min(RETRY_MAX_MS, this.#firstMs * 2 ** Math.min(count - 1, 20));
    this.#entries.delete(key);
    this.#entries.set(key, { count, untilMs: nowMs + pauseMs });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#entriesMax) return;
      this.#entries.delete(oldest);
    }
  }

  /** It works again. */
  succeed(key: K): void {
    this.#entries.delete(key);
  }
}
