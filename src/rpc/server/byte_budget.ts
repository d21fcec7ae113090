/** Bytes that the calls of a node keep at a time. */

/** Lets a sum of bytes not grow beyond a bound. */
export class ByteBudget {
  readonly #max: number;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
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
  }
}
