/** Time of one validation run, shared out so that no step can take it all (`decisions.md` 8). */

/** A span of time that is being used up. */
export class Budget {
  readonly #now: () => number;
  readonly #startMs: number;
  readonly #durationMs: number;

  /**
   * @param durationMs Milliseconds in all.
   * @param now Milliseconds that never go backwards.
   */
  constructor(durationMs: number, now: () => number) {
    this.#now = now;
    this.#startMs = now();
    this.#durationMs = durationMs;
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return this.#now() - this.#startMs;
  }

  /** Milliseconds left, at least 0. */
  get remainingMs(): number {
    return Math.max(0, this.#durationMs - this.elapsedMs);
  }

  /**
   * The first of `parts` equal shares of what is left, as a budget of its own.
   *
   * @param limitMs Most that it may be.
   */
  share(parts: number, limitMs: number = Infinity): Budget {
    return new Budget(Math.min(limitMs, this.remainingMs / parts), this.#now);
  }
}
