/** Terms of one key in the order of the numbers they hold, so that a range is found by halving. */
import { numberOfText } from "../predicate/number_text.ts";

/** Something with a value that may be a number. */
interface Valued {
  readonly value: string | undefined;
}

/** Terms by number; those that hold none are not in here. */
export class NumberOrder<Item extends Valued> {
  readonly #numbers: number[] = [];
  readonly #items: Item[] = [];

  constructor(items: readonly Item[]) {
    const pairs = items.map((item) => [numberOf(item), item] as const)
      .filter(([number]) => !Number.isNaN(number))
      .sort(([left], [right]) => left < right ? -1 : left > right ? 1 : 0);
    for (const [number, item] of pairs) {
      this.#numbers.push(number);
      this.#items.push(item);
    }
  }

  /** Adds an item. */
  add(item: Item): void {
    const number = numberOf(item);
    if (Number.isNaN(number)) return;
    const at = this.#placeOf(number);
    this.#numbers.splice(at, 0, number);
    this.#items.splice(at, 0, item);
  }

  /** Takes an item away. */
  delete(item: Item): void {
    const number = numberOf(item);
    if (Number.isNaN(number)) return;
    const at = this.#items.indexOf(item, this.#placeOf(number));
    if (at === -1) return;
    this.#numbers.splice(at, 1);
    this.#items.splice(at, 1);
  }

  /** Items from `min` to `max`, both included; none when one of them is NaN. */
  between(min: number, max: number): readonly Item[] {
    if (!(min <= max)) return [];
    const start = this.#placeOf(min);
    let end = this.#placeOf(max);
    while (this.#numbers[end] === max) end += 1;
    return this.#items.slice(start, end);
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

function numberOf({ value }: Valued): number {
  return value === undefined ? NaN : numberOfText(value);
}
