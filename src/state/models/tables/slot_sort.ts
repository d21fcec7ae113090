/**
 * Puts slots in the order of a column of 64-bit numbers: by digits of 11 bits, so the time grows with the number
 * of slots only, and without a comparison function. Slots of equal numbers stay as they were.
 */

/** Below so many slots insertion is quicker than counting digits. */
const FEW = 48;
const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/** Sorts, with memory that is kept from one use to the next. */
export class SlotSorter {
  #spare = new Uint32Array(0);
  readonly #starts = new Uint32Array(DIGITS);

  /**
   * Sorts the first `count` slots in place.
   *
   * @param words Low and high half of each row's number, interleaved.
   */
  sort(slots: Uint32Array, count: number, words: Uint32Array, isDescending: boolean): void {
    if (count < FEW) return insertionSort(slots, count, words, isDescending);
    if (this.#spare.length < count) this.#spare = new Uint32Array(slots.length);
    let [source, target]: [Uint32Array, Uint32Array] = [slots, this.#spare];
    for (const half of [0, 1]) {
      for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
        if (!this.#scatter(source, target, count, words, half, shift, isDescending)) continue;
        [source, target] = [target, source];
      }
    }
    if (source !== slots) slots.set(source.subarray(0, count));
  }

  /** Moves slots to their places by one digit; false when all have the same, and nothing was moved. */
  #scatter(
    source: Uint32Array,
    target: Uint32Array,
    count: number,
    words: Uint32Array,
    half: number,
    shift: number,
    isDescending: boolean,
  ): boolean {
    const starts = this.#starts;
    const flip = isDescending ? DIGITS - 1 : 0;
    const mask = DIGITS - 1;
    starts.fill(0);
    let digit = 0;
    for (let i = 0; i < count; i++) {
      digit = (((words[2 * (source[i] as number) + half] as number) >>> shift) & mask) ^ flip;
      starts[digit] = (starts[digit] as number) + 1;
    }
    if (starts[digit] === count) return false;
    for (let i = 0, start = 0; i < DIGITS; i++) {
      const next = start + (starts[i] as number);
      starts[i] = start;
      start = next;
    }
    for (let i = 0; i < count; i++) {
      const slot = source[i] as number;
      digit = (((words[2 * slot + half] as number) >>> shift) & mask) ^ flip;
      const place = starts[digit] as number;
      target[place] = slot;
      starts[digit] = place + 1;
    }
    return true;
  }
}

function insertionSort(
  slots: Uint32Array,
  count: number,
  words: Uint32Array,
  isDescending: boolean,
): void {
  for (let i = 1; i < count; i++) {
    const slot = slots[i] as number;
    let at = i;
    for (; at > 0; at--) {
      const before = slots[at - 1] as number;
      const isMisplaced = isDescending ? isLess(words, before, slot) : isLess(words, slot, before);
      if (!isMisplaced) break;
      slots[at] = before;
    }
    slots[at] = slot;
  }
}

function isLess(words: Uint32Array, a: number, b: number): boolean {
  const [highA, highB] = [words[2 * a + 1] as number, words[2 * b + 1] as number];
  return highA === highB ? (words[2 * a] as number) < (words[2 * b] as number) : highA < highB;
}
