/** Tokens that refill with time: so many per second, and no more at once than fit. */

/** How fast a bucket fills, and how much it holds. */
export interface TokenRate {
  readonly perSecond: number;
  /** The most it holds, and what it starts with; what comes in a second when left out. */
  readonly burst?: number;
}

/**
 * One allowance.
 *
 * @example
 * ```ts
 * import { TokenBucket } from "./token_bucket.ts";
 * const bucket = new TokenBucket({ perSecond: 10, burst: 2 }, 0);
 * console.assert(bucket.take(2, 0) && !bucket.take(1, 0));
 * console.assert(bucket.take(1, 100));
 * ```
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;

  /** @param now Milliseconds, as everywhere here. */
  constructor({ perSecond, burst = perSecond }: TokenRate, now: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAt = now;
  }

  /** True when it holds all it can: then it says no more than a new one. */
  isFull(now: number): boolean {
    return this.has(this.#burst, now);
  }

  /** True when so many tokens are there. */
  has(count: number, now: number): boolean {
    const gained = Math.max(0, now - this.#filledAt) * this.#perSecond / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filledAt = now;
    return this.#tokens >= count;
  }

  /** Takes tokens; false, and none is taken, when there are too few. */
  take(count: number, now: number): boolean {
    if (!this.has(count, now)) return false;
    this.#tokens -= count;
    return true;
  }
}
