/**
 * Numbers for hashes: each that is added has one, from 0 on, in the order in which they came. A hundred thousand of
 * them are 5 MB of plain numbers; as keys of a map they would be texts, and the collector's work.
 */
import { HASH_BYTES } from "./limits.ts";

const WORDS = HASH_BYTES / 4;
const CAPACITY_MIN = 64;
/** Slots for each hash there is room for; half of them are free, so that a search is short. */
const SLOTS_PER_HASH = 2;

/** Hashes with their numbers. */
export class HashIndex {
  /** Odd numbers by chance: who makes hashes cannot know which of them meet. */
  readonly #factors = crypto.getRandomValues(new Uint32Array(4)).map((value) => value | 1);
  /** Hashes, one behind the other. */
  #words: Uint32Array<ArrayBuffer>;
  /** A number and one, or 0 for a free slot. */
  #slots: Uint32Array<ArrayBuffer>;
  #count = 0;

  /** @param capacity Hashes there is room for before it grows. */
  constructor(capacity: number = CAPACITY_MIN) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(capacity, CAPACITY_MIN)));
    this.#words = new Uint32Array(size * WORDS);
    this.#slots = new Uint32Array(size * SLOTS_PER_HASH);
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Hashes there is room for; {@linkcode HashIndex.add} of one more makes it twice as much. */
  get capacity(): number {
    return this.#words.length / WORDS;
  }

  /** The number of the hash that begins at `at`, or -1. */
  find(bytes: Uint8Array, at = 0): number {
    const slot = this.#slotOf(bytes, at);
    return (this.#slots[slot] ?? 0) - 1;
  }

  /** The number of a hash, which is added if need be: then it is what `count` was. */
  add(bytes: Uint8Array, at = 0): number {
    let slot = this.#slotOf(bytes, at);
    const known = this.#slots[slot] ?? 0;
    if (known > 0) return known - 1;
    if (this.#count === this.capacity) {
      this.#grow();
      slot = this.#slotOf(bytes, at);
    }
    const start = this.#count * WORDS;
    for (let word = 0; word < WORDS; word++) this.#words[start + word] = wordAt(bytes, at, word);
    this.#slots[slot] = ++this.#count;
    return this.#count - 1;
  }

  /** Writes a hash to `target`. */
  copy(number: number, target: Uint8Array, at = 0): void {
    for (let word = 0; word < WORDS; word++) {
      const value = this.#words[number * WORDS + word] ?? 0;
      const start = at + 4 * word;
      target[start] = value;
      target[start + 1] = value >>> 8;
      target[start + 2] = value >>> 16;
      target[start + 3] = value >>> 24;
    }
  }

  /** First bytes of a hash, as numbers sort them: the first six of them, big-endian. */
  orderOf(number: number): number {
    const first = swap(this.#words[number * WORDS] ?? 0);
    return first * 65_536 + (swap(this.#words[number * WORDS + 1] ?? 0) >>> 16);
  }

  /** Forgets all of them, and keeps the room. */
  clear(): void {
    this.#slots.fill(0);
    this.#count = 0;
  }

  /** The slot that a hash is in, or the free one where it would be. */
  #slotOf(bytes: Uint8Array, at: number): number {
    const [a = 1, b = 1, c = 1, d = 1] = this.#factors;
    const mixed = Math.imul(wordAt(bytes, at, 0), a) + Math.imul(wordAt(bytes, at, 1), b) +
      Math.imul(wordAt(bytes, at, 2), c) + Math.imul(wordAt(bytes, at, 3), d);
    const mask = this.#slots.length - 1;
    // The high bits of a product are the mixed ones.
    let slot = ((mixed >>> 15) ^ mixed) & mask;
    for (;;) {
      const number = this.#slots[slot] ?? 0;
      if (number === 0 || this.#isAt(number - 1, bytes, at)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #isAt(number: number, bytes: Uint8Array, at: number): boolean {
    const start = number * WORDS;
    for (let word = 0; word < WORDS; word++) {
      if (this.#words[start + word] !== wordAt(bytes, at, word)) return false;
    }
    return true;
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const hash = new Uint8Array(HASH_BYTES);
    for (let number = 0; number < this.#count; number++) {
      this.copy(number, hash);
      this.#slots[this.#slotOf(hash, 0)] = number + 1;
    }
  }
}

function wordAt(bytes: Uint8Array, at: number, word: number): number {
  const start = at + 4 * word;
  return ((bytes[start] ?? 0) | ((bytes[start + 1] ?? 0) << 8) | ((bytes[start + 2] ?? 0) << 16) |
    ((bytes[start + 3] ?? 0) << 24)) >>> 0;
}

function swap(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
