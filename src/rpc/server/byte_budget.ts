/** Bytes that the calls of a node hold at a time: of long answers under way, of requests and items not done with. */

/** Lets a sum of bytes not grow beyond a bound. */
export class ByteBudget {
  readonly #max: number;
  #taken = 0;
  #waiters: (() => void)[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** Bytes taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes so many; false when there is no room for them. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#max) return false;
    this.#taken += bytes;
    return true;
  }

  /** Gives them back. */
  release(bytes: number): void {
    this.#taken -= bytes;
    if (this.#waiters.length === 0) return;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** Resolves when some were given back. */
  whenReleased(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}
