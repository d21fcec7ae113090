/**
 * The slots that have something in common, kept up to date: one slot in place, few as a list, many as bits.
 *
 * Bits of one posting take an eighth of a byte per slot of the whole index, a list four bytes per member;
 * whichever is shorter is used.
 */
import { EMPTY_SLOTS, placeOf, type SlotSet } from "./slot_set.ts";

/** Room of a list when it is made. */
const LIST_FIRST = 4;
/** Up to here a list is always good enough. */
const LIST_MIN = 16;
/** Bits become a list again when the list is this many times shorter, so that the form does not flutter. */
const SHRINK_RATIO = 4;

/** A set of slots that changes. */
export class Posting {
  size = 0;
  /** The only member, while there is no more than one. */
  #only = 0;
  #slots: Uint32Array | undefined;
  #bits: Uint32Array | undefined;

  /**
   * Adds a slot.
   *
   * @param capacity Slots of the whole index.
   * @returns False when it was there.
   */
  add(slot: number, capacity: number): boolean {
    if (this.#bits !== undefined) return this.#addBit(this.#bits, slot, capacity);
    if (this.size === 0) {
      this.#only = slot;
      this.size = 1;
      return true;
    }
    const slots = this.#slots ?? firstList(this.#only);
    // Most are added in ascending order.
    const last = slots[this.size - 1] ?? 0;
    const at = slot > last ? this.size : placeOf(slots, this.size, slot);
    if (at < this.size && slots[at] === slot) return false;
    this.#slots = insertAt(slots, this.size, at, slot);
    this.size += 1;
    if (this.size > LIST_MIN && this.size > capacity >>> 5) this.#toBits(capacity);
    return true;
  }

  /** Takes a slot away; false when it was not there. */
  delete(slot: number): boolean {
    const bits = this.#bits;
    if (bits !== undefined) {
      const word = bits[slot >>> 5] ?? 0;
      if ((word >>> (slot & 31) & 1) === 0) return false;
      bits[slot >>> 5] = word & ~(1 << (slot & 31));
      this.size -= 1;
      if (this.size * SHRINK_RATIO < Math.max(bits.length, LIST_MIN)) this.#toList(bits);
      return true;
    }
    const slots = this.#slots;
    if (slots === undefined) {
      if (this.size === 0 || this.#only !== slot) return false;
      this.size = 0;
      return true;
    }
    const at = placeOf(slots, this.size, slot);
    if (at >= this.size || slots[at] !== slot) return false;
    slots.copyWithin(at, at + 1, this.size);
    this.size -= 1;
    if (this.size <= 1) {
      this.#only = slots[0] ?? 0;
      this.#slots = undefined;
    }
    return true;
  }

  /** True for a member. */
  has(slot: number): boolean {
    const bits = this.#bits;
    if (bits !== undefined) return ((bits[slot >>> 5] ?? 0) >>> (slot & 31) & 1) === 1;
    const slots = this.#slots;
    if (slots === undefined) return this.size === 1 && this.#only === slot;
    const at = placeOf(slots, this.size, slot);
    return at < this.size && slots[at] === slot;
  }

  /** The members as they are now; the next change may show in what is returned. */
  view(): SlotSet {
    const { size } = this;
    if (size === 0) return EMPTY_SLOTS;
    if (this.#bits !== undefined) return { size, slots: undefined, bits: this.#bits };
    return { size, slots: this.#slots ?? Uint32Array.of(this.#only), bits: undefined };
  }

  #addBit(bits: Uint32Array, slot: number, capacity: number): boolean {
    const at = slot >>> 5;
    let words = bits;
    if (at >= words.length) {
      words = new Uint32Array(Math.max((capacity + 31) >>> 5, at + 1));
      words.set(bits);
      this.#bits = words;
    }
    const word = words[at] ?? 0;
    if ((word >>> (slot & 31) & 1) === 1) return false;
    words[at] = word | (1 << (slot & 31));
    this.size += 1;
    return true;
  }

  #toBits(capacity: number): void {
    const slots = this.#slots ?? new Uint32Array(0);
    const last = slots[this.size - 1] ?? 0;
    const bits = new Uint32Array(Math.max((capacity + 31) >>> 5, (last >>> 5) + 1));
    for (let i = 0; i < this.size; i++) {
      const slot = slots[i] ?? 0;
      bits[slot >>> 5] = (bits[slot >>> 5] ?? 0) | (1 << (slot & 31));
    }
    this.#bits = bits;
    this.#slots = undefined;
  }

  #toList(bits: Uint32Array): void {
    const slots = new Uint32Array(Math.max(this.size, 2));
    let count = 0;
    for (let at = 0; at < bits.length; at++) {
      let word = bits[at] ?? 0;
      while (word !== 0) {
        slots[count++] = (at << 5) + 31 - Math.clz32(word & -word);
        word &= word - 1;
      }
    }
    this.#bits = undefined;
    this.#only = slots[0] ?? 0;
    this.#slots = this.size <= 1 ? undefined : slots;
  }
}

function firstList(only: number): Uint32Array {
  const slots = new Uint32Array(LIST_FIRST);
  slots[0] = only;
  return slots;
}

/** The list with one more member; a new one when there was no room. */
function insertAt(slots: Uint32Array, size: number, at: number, slot: number): Uint32Array {
  let room = slots;
  if (size === slots.length) {
    room = new Uint32Array(2 * size);
    room.set(slots);
  }
  if (at < size) room.copyWithin(at + 1, at, size);
  room[at] = slot;
  return room;
}
