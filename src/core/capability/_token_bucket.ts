/** Tokens that refill with time. */

/** One source's allowance. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledAt: number;

  /** @param burst The most it holds, and what it starts with. */
  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
    this.#filledAt = nowMs;
  }

  /** True when there is a token to take. */
  has(nowMs: number): boolean {
    const gained = Math.max(0, nowMs - this.#filledAt) * this.#perSecond / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filledAt = nowMs;
    return this.#tokens >= 1;
  }

  /** Takes a token; false when there is none. */
  take(nowMs: number): boolean {
    if (!this.has(nowMs)) return false;
    this.#tokens -= 1;
    return true;
  }
}
