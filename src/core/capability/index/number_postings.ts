/** Slots by a number they have, in the order of the numbers: what is at least or at most so much is a run. */
import { Posting } from "./posting.ts";

/** One posting per distinct number. */
export class NumberPostings {
  /** Ascending. */
  readonly #numbers: number[] = [];
  readonly #postings: Posting[] = [];

  /** Adds a slot under a number. */
  add(number: number, slot: number, capacity: number): void {
    const at = this.#placeOf(number);
    if (this.#numbers[at] !== number) {
      this.#numbers.splice(at, 0, number);
      this.#postings.splice(at, 0, new Posting());
    }
    this.#postings[at]?.add(slot, capacity);
  }

  /** Takes a slot away from under its number. */
  delete(number: number, slot: number): void {
    const at = this.#placeOf(number);
    const posting = this.#postings[at];
    if (this.#numbers[at] !== number || posting === undefined) return;
    posting.delete(slot);
    if (posting.size > 0) return;
    this.#numbers.splice(at, 1);
    this.#postings.splice(at, 1);
  }

  /** Postings of all numbers that are not below `least`. */
  atLeast(least: number): readonly Posting[] {
    return this.#postings.slice(this.#placeOf(least));
  }

  /** Index of the first number that is not below. */
  #placeOf(number: number): number {
    let low = 0;
    let high = this.#numbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#numbers[middle] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
