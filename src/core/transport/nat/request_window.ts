/** So many requests per span of time, for each of many. */

/** Options of {@linkcode RequestWindow}. */
export interface RequestWindowOptions {
  readonly max: number;
  readonly windowMs: number;
  /** Most ids remembered; the one that asked longest ago makes room. */
  readonly idsMax: number;
}

/**
 * Counts requests by id in a sliding window.
 *
 * @example
 * ```ts
 * import { RequestWindow } from "./request_window.ts";
 * const window = new RequestWindow({ max: 1, windowMs: 10, idsMax: 100 });
 * console.assert(window.take(7n, 0) && !window.take(7n, 9) && window.take(7n, 10));
 * ```
 */
export class RequestWindow {
  readonly #options: RequestWindowOptions;
  /** Times of the last requests taken; the id that asked last stands last. */
  readonly #times = new Map<bigint, number[]>();

  constructor(options: RequestWindowOptions) {
    this.#options = options;
  }

  /** Counts a request of an id; false, and it is not counted, when there were too many. */
  take(id: bigint, now: number): boolean {
    const { max, windowMs, idsMax } = this.#options;
    const times = (this.#times.get(id) ?? []).filter((at) => now - at < windowMs);
    this.#times.delete(id);
    if (this.#times.size >= idsMax) {
      const [oldest] = this.#times.keys();
      if (oldest !== undefined) this.#times.delete(oldest);
    }
    this.#times.set(id, times);
    if (times.length >= max) return false;
    times.push(now);
    return true;
  }
}
