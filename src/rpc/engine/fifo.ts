/** A queue whose ends cost the same however long it is; who fills it sets the bound. */

/** Places given up before the rest moves up. */
const MOVE_FROM = 1_024;

/** First in, first out. */
export class Fifo<T> {
  readonly #places: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#places.length - this.#first;
  }

  push(value: T): void {
    this.#places.push(value);
  }

  /** The first one, which stays; `undefined` when there is none. */
  peek(): T | undefined {
    return this.#places[this.#first];
  }

  /** Takes the first one; `undefined` when there is none. */
  shift(): T | undefined {
    if (this.#first === this.#places.length) return undefined;
    const value = this.#places[this.#first];
    this.#places[this.#first++] = undefined;
    if (this.#first === this.#places.length) this.clear();
    else if (this.#first >= MOVE_FROM && this.#first * 2 >= this.#places.length) {
      this.#places.splice(0, this.#first);
      this.#first = 0;
    }
    return value;
  }

  clear(): void {
    this.#places.length = 0;
    this.#first = 0;
  }
}
