/**
 * Numbers for hashes: each that is added has one, from 0 on, in the order in which they came. A hundred thousand of
 * them are 5 MB of plain numbers; as keys of a map they would be texts, and the collector's work.
 */
import { HASH_BYTES } from "./limits.ts";

/** Words of a hash, 32 bits each. */
export const HASH_WORDS = HASH_BYTES / 4;

const CAPACITY_MIN = 64;
/** Slots for each hash there is room for; half of them are free, so that a search is short. */
const SLOTS_PER_HASH = 2;

/** Hashes that lie one behind the other as words, which are compared four bytes at a time: a view where that can be. */
export function hashWords(hashes: Uint8Array): Uint32Array {
  const { buffer, byteOffset, length } = hashes;
  if (byteOffset % 4 === 0) return new Uint32Array(buffer, byteOffset, length >>> 2);
  return new Uint32Array(hashes.slice().buffer);
}

/** Hashes with their numbers. */
export class HashIndex {
  /** Odd numbers by chance: who makes hashes cannot know which of them meet. */
  readonly #factors = crypto.getRandomValues(new Uint32Array(4)).map((value) => value | 1);
  /** Hashes, one behind the other. */
  #words: Uint32Array<ArrayBuffer>;
  /** The same memory. */
  #bytes: Uint8Array<ArrayBuffer>;
  /** A number and one, or 0 for a free slot. */
  #slots: Uint32Array<ArrayBuffer>;
  #count = 0;

  /** @param capacity Hashes there is room for before it grows. */
  constructor(capacity: number = CAPACITY_MIN) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(capacity, CAPACITY_MIN)));
    this.#words = new Uint32Array(size * HASH_WORDS);
    this.#bytes = new Uint8Array(this.#words.buffer);
    this.#slots = new Uint32Array(size * SLOTS_PER_HASH);
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Hashes there is room for; {@linkcode HashIndex.add} of one more makes it twice as much. */
  get capacity(): number {
    return this.#words.length / HASH_WORDS;
  }

  /**
   * The number of a hash, or -1.
   *
   * @param words As of {@linkcode hashWords}.
   * @param at Word where it begins.
   */
  find(words: Uint32Array, at = 0): number {
    return (this.#slots[this.#slotOf(words, at)] ?? 0) - 1;
  }

  /** The number of a hash, which is added if need be: then it is what `count` was. */
  add(words: Uint32Array, at = 0): number {
    let slot = this.#slotOf(words, at);
    const known = this.#slots[slot] ?? 0;
    if (known > 0) return known - 1;
    if (this.#count === this.capacity) {
      this.#grow();
      slot = this.#slotOf(words, at);
    }
    const start = this.#count * HASH_WORDS;
    for (let word = 0; word < HASH_WORDS; word++) this.#words[start + word] = words[at + word] ?? 0;
    this.#slots[slot] = ++this.#count;
    return this.#count - 1;
  }

  /** Writes a hash to `target`. */
  copy(number: number, target: Uint8Array, at = 0): void {
    const start = number * HASH_BYTES;
    for (let byte = 0; byte < HASH_BYTES; byte++) {
      target[at + byte] = this.#bytes[start + byte] ?? 0;
    }
  }

  /** First bytes of a hash, as numbers sort them: the first six of them, big-endian. */
  orderOf(number: number): number {
    let order = 0;
    const start = number * HASH_BYTES;
    for (let byte = 0; byte < 6; byte++) order = order * 256 + (this.#bytes[start + byte] ?? 0);
    return order;
  }

  /** Forgets all of them, and keeps the room. */
  clear(): void {
    this.#slots.fill(0);
    this.#count = 0;
  }

  /** The slot that a hash is in, or the free one where it would be. */
  #slotOf(words: Uint32Array, at: number): number {
    const factors = this.#factors;
    let mixed = 0;
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + Math.imul(words[at + i] ?? 0, factors[i] ?? 1)) | 0;
    }
    const slots = this.#slots;
    const mask = slots.length - 1;
    // The high bits of a product are the mixed ones.
    let slot = ((mixed >>> 15) ^ mixed) & mask;
    for (;;) {
      const number = slots[slot] ?? 0;
      if (number === 0) return slot;
      const start = (number - 1) * HASH_WORDS;
      let word = 0;
      while (word < HASH_WORDS && this.#words[start + word] === words[at + word]) word++;
      if (word === HASH_WORDS) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    // Gives the smaller one back at once, not when somebody collects it.
    this.#words = new Uint32Array(this.#words.buffer.transfer(2 * this.#words.byteLength));
    this.#bytes = new Uint8Array(this.#words.buffer);
    this.#slots = new Uint32Array(this.#slots.buffer.transfer(2 * this.#slots.byteLength)).fill(0);
    for (let number = 0; number < this.#count; number++) {
      this.#slots[this.#slotOf(this.#words, number * HASH_WORDS)] = number + 1;
    }
  }
}
