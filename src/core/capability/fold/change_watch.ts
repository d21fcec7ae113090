/**
 * Waiting for a fold to change without missing a change: a counter that moves, and a promise for its
 * next move (`capabilities.md` 11).
 */

interface Waiter {
  readonly resolve: () => void;
}

/**
 * A counter of changes.
 *
 * @example
 * ```ts
 * import { ChangeWatch } from "./change_watch.ts";
 * const watch = new ChangeWatch();
 * const seen = watch.count;
 * // … look at the fold, then wait for what came since it was looked at:
 * watch.note();
 * console.assert(await watch.changed(seen) === 1);
 * ```
 */
export class ChangeWatch {
  #count = 0;
  #waiters = new Set<Waiter>();

  /** Changes so far. */
  get count(): number {
    return this.#count;
  }

  /** Counts a change and wakes everybody up. */
  note(): void {
    this.#count += 1;
    const waiters = this.#waiters;
    if (waiters.size === 0) return;
    this.#waiters = new Set();
    for (const { resolve } of waiters) resolve();
  }

  /**
   * The counter once it is not `since` any more; at once when it moved already.
   *
   * @throws What `signal` was aborted with.
   */
  async changed(since: number, options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#count !== since) return this.#count;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { resolve };
    const abort = () => {
      this.#waiters.delete(waiter);
      reject(signal?.reason);
    };
    this.#waiters.add(waiter);
    signal?.addEventListener("abort", abort);
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    return this.#count;
  }
}
