/**
 * The exact verdict map of the AuthGuard (`identity-and-channels.md` 12): who was allowed on which channel
 * hash, in typed arrays, so that a look-up reads numbers and allocates nothing.
 *
 * Open addressing with linear probing. Beside each key lies one word: the domain in its top two bits, never 0
 * for an entry, and the entry's 30 bits of filter marks below.
 */

const DOMAIN_SHIFT = 30;
const MARKS_MASK = 0x3fff_ffff;
const WORDS_PER_KEY = 4;
/** No slot; a look-up found nothing. */
export const NOT_FOUND = -1;

/** A set of (domain, principal, channel hash), each with the marks of its filter. */
export class VerdictTable {
  #mask: number;
  #keys: Uint32Array;
  /** Zero for an empty slot. */
  #words: Uint32Array;
  #size = 0;

  constructor(slots = 64) {
    this.#mask = slots - 1;
    this.#keys = new Uint32Array(slots * WORDS_PER_KEY);
    this.#words = new Uint32Array(slots);
  }

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** The slot of an entry, or {@linkcode NOT_FOUND}. */
  find(
    domain: number,
    principalLow: number,
    principalHigh: number,
    hashLow: number,
    hashHigh: number,
  ): number {
    const words = this.#words;
    const keys = this.#keys;
    const mask = this.#mask;
    let slot = homeOf(principalLow, principalHigh, hashLow, hashHigh) & mask;
    for (;;) {
      const word = words[slot] as number;
      if (word === 0) return NOT_FOUND;
      const at = slot * WORDS_PER_KEY;
      if (
        keys[at] === principalLow >>> 0 && keys[at + 1] === principalHigh >>> 0 &&
        keys[at + 2] === hashLow >>> 0 && keys[at + 3] === hashHigh >>> 0 &&
        word >>> DOMAIN_SHIFT === domain
      ) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Adds an entry that is not there yet. */
  add(
    domain: number,
    principalLow: number,
    principalHigh: number,
    hashLow: number,
    hashHigh: number,
    marks: number,
  ): void {
    // Half full at most: then a search for what is missing takes two and a half looks on average.
    if ((this.#size + 1) * 2 > this.#mask + 1) this.#grow();
    this.#size += 1;
    const word = (domain << DOMAIN_SHIFT | marks) >>> 0;
    this.#place(principalLow, principalHigh, hashLow, hashHigh, word);
  }

  /** Marks of the entry in a slot. */
  marksAt(slot: number): number {
    return (this.#words[slot] as number) & MARKS_MASK;
  }

  /** Removes the entry in a slot; slots found before are no longer valid. */
  removeAt(slot: number): void {
    const words = this.#words;
    const keys = this.#keys;
    let hole = slot;
    let next = (hole + 1) & this.#mask;
    // Later entries of the same run move up, so that no slot has to be marked as deleted.
    while (words[next] !== 0) {
      const at = next * WORDS_PER_KEY;
      const home = homeOf(
        keys[at] as number,
        keys[at + 1] as number,
        keys[at + 2] as number,
        keys[at + 3] as number,
      ) & this.#mask;
      if (((next - home) & this.#mask) >= ((next - hole) & this.#mask)) {
        keys.copyWithin(hole * WORDS_PER_KEY, at, at + WORDS_PER_KEY);
        words[hole] = words[next] as number;
        hole = next;
      }
      next = (next + 1) & this.#mask;
    }
    words[hole] = 0;
    this.#size -= 1;
  }

  #place(p0: number, p1: number, h0: number, h1: number, word: number): void {
    let slot = homeOf(p0, p1, h0, h1) & this.#mask;
    while (this.#words[slot] !== 0) slot = (slot + 1) & this.#mask;
    const at = slot * WORDS_PER_KEY;
    this.#keys[at] = p0;
    this.#keys[at + 1] = p1;
    this.#keys[at + 2] = h0;
    this.#keys[at + 3] = h1;
    this.#words[slot] = word;
  }

  #grow(): void {
    const keys = this.#keys;
    const words = this.#words;
    this.#mask = this.#mask * 2 + 1;
    this.#keys = new Uint32Array((this.#mask + 1) * WORDS_PER_KEY);
    this.#words = new Uint32Array(this.#mask + 1);
    for (let slot = 0; slot < words.length; slot++) {
      const word = words[slot] as number;
      if (word === 0) continue;
      const at = slot * WORDS_PER_KEY;
      this.#place(
        keys[at] as number,
        keys[at + 1] as number,
        keys[at + 2] as number,
        keys[at + 3] as number,
        word,
      );
    }
  }
}

function homeOf(p0: number, p1: number, h0: number, h1: number): number {
  let hash = Math.imul(p0 ^ Math.imul(p1, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ h0 ^ Math.imul(h1, 0x27d4eb2f), 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}
