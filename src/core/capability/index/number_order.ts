/**
 * Terms of one key in the order of the numbers they hold, so that a range is found by halving.
 *
 * They lie in short runs, one behind the other: strangers decide how many there are, and in one long list
 * each that comes or goes would move all behind it.
 */
import { numberOfText } from "../predicate/number_text.ts";

/** Something with a value that may be a number, and a text of its own. */
interface Valued {
  /** No two have the same. */
  readonly text: string;
  readonly value: string | undefined;
}

interface Entry<Item> {
  readonly number: number;
  readonly text: string;
  readonly item: Item;
}

/** A run is cut in two above it; a step in it moves 4 KB at most. */
const RUN_MAX = 512;

/** Terms by number; those that hold none are not in here. */
export class NumberOrder<Item extends Valued> {
  /** None is empty. */
  readonly #runs: Entry<Item>[][] = [];

  constructor(items: readonly Item[]) {
    const entries = items.map(entryOf).filter((entry) => entry !== undefined).sort(compare);
    for (let start = 0; start < entries.length; start += RUN_MAX) {
      this.#runs.push(entries.slice(start, start + RUN_MAX));
    }
  }

  /** Adds an item. */
  add(item: Item): void {
    const entry = entryOf(item);
    if (entry === undefined) return;
    const at = this.#runOf(entry);
    const run = this.#runs[at];
    if (run === undefined) {
      this.#runs.push([entry]);
      return;
    }
    run.splice(placeIn(run, entry), 0, entry);
    if (run.length > RUN_MAX) this.#runs.splice(at + 1, 0, run.splice(RUN_MAX / 2));
  }

  /** Takes an item away. */
  delete(item: Item): void {
    const entry = entryOf(item);
    if (entry === undefined) return;
    const at = this.#runOf(entry);
    const run = this.#runs[at] ?? [];
    const place = placeIn(run, entry);
    if (run[place]?.item !== item) return;
    run.splice(place, 1);
    if (run.length === 0) this.#runs.splice(at, 1);
  }

  /** Items from `min` to `max`, both included; none when one of them is NaN. */
  between(min: number, max: number): readonly Item[] {
    const found: Item[] = [];
    if (!(min <= max)) return found;
    const least = { number: min, text: "" };
    for (let at = this.#runOf(least); at < this.#runs.length; at++) {
      const run = this.#runs[at] ?? [];
      for (let place = placeIn(run, least); place < run.length; place++) {
        const entry = run[place];
        if (entry === undefined || entry.number > max) return found;
        found.push(entry.item);
      }
    }
    return found;
  }

  /** The last run that begins at or before the place; the first when all begin behind it. */
  #runOf(place: Place): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#runs[middle]?.[0];
      if (first !== undefined && compare(first, place) <= 0) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

type Place = Pick<Entry<unknown>, "number" | "text">;

function entryOf<Item extends Valued>(item: Item): Entry<Item> | undefined {
  const { text, value } = item;
  const number = value === undefined ? NaN : numberOfText(value);
  return Number.isNaN(number) ? undefined : { number, text, item };
}

/** Index of the first entry that is not before the place. */
function placeIn(run: readonly Place[], place: Place): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = run[middle];
    if (entry !== undefined && compare(entry, place) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(left: Place, right: Place): number {
  if (left.number !== right.number) return left.number < right.number ? -1 : 1;
  return left.text < right.text ? -1 : left.text > right.text ? 1 : 0;
}
