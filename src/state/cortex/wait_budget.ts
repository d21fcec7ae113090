/** How many may wait at a time, over several folds or in one (`storage.md` 5). */

/** Places for waiters. */
export class WaitBudget {
  readonly #max: number;
  #taken = 0;

  /** @param max Places; 0 for as many as come. */
  constructor(max: number) {
    if (!Number.isSafeInteger(max) || max < 0) {
      throw new RangeError(`Cannot limit waiters: max is ${max}, must be a whole number from 0`);
    }
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes a place; false when there is none. */
  tryTake(): boolean {
    if (this.#max > 0 && this.#taken >= this.#max) return false;
    this.#taken += 1;
    return true;
  }

  giveBack(): void {
    this.#taken -= 1;
  }
}
