/**
 * Places of packed chunks that are not in the table of the index yet. They go there in the order of their hashes: rows
 * that come in any order cost a table ten times as much.
 */
import { HashIndex, hashWords } from "../_hash_index.ts";
import { writeRow } from "./_index_rows.ts";
import type { PackPlace } from "./pack_place.ts";

const ABSENT = 0;
const PLAIN = 1;
const SEALED = 2;

/** Bits of a hash that it is sorted by, and of the number that finds it again: 53 in all. */
const NUMBERS = 2 ** 17;
const ORDER_CUT = 2 ** 12;

/** Places by hash, as many as there is room for. */
export class FreshPlaces {
  readonly #hashes: HashIndex;
  readonly #packs: Uint32Array<ArrayBuffer>;
  readonly #ats: Float64Array<ArrayBuffer>;
  readonly #storedBytes: Uint32Array<ArrayBuffer>;
  readonly #states: Uint8Array<ArrayBuffer>;
  /** Numbers that are left to take out, in order, once that has begun. */
  #order: Float64Array<ArrayBuffer> | undefined;
  #taken = 0;

  /** @param recordsMax At most 131,072. */
  constructor(recordsMax: number) {
    this.#hashes = new HashIndex(recordsMax);
    this.#packs = new Uint32Array(recordsMax);
    this.#ats = new Float64Array(recordsMax);
    this.#storedBytes = new Uint32Array(recordsMax);
    this.#states = new Uint8Array(recordsMax);
  }

  /** Places it has room for. */
  get free(): number {
    return this.#states.length - this.#hashes.count;
  }

  /** True when there is nothing to take out. */
  get isEmpty(): boolean {
    return this.#hashes.count === 0;
  }

  /** True for a chunk that is here; its hash as of {@linkcode hashWords}, from a word on. */
  has(words: Uint32Array, at: number): boolean {
    const number = this.#hashes.find(words, at);
    return number >= 0 && this.#states[number] !== ABSENT;
  }

  /** Where a chunk is. */
  find(hash: Uint8Array): PackPlace | undefined {
    const number = this.#hashes.find(hashWords(hash));
    const state = this.#states[number] ?? ABSENT;
    if (number < 0 || state === ABSENT) return undefined;
    return {
      pack: this.#packs[number] ?? 0,
      at: this.#ats[number] ?? 0,
      storedBytes: this.#storedBytes[number] ?? 0,
      isSealed: state === SEALED,
    };
  }

  /** Sets where a chunk is, as {@linkcode FreshPlaces.has} takes it; there must be room. */
  set(
    words: Uint32Array,
    wordAt: number,
    pack: number,
    at: number,
    storedBytes: number,
    isSealed: boolean,
  ): void {
    const number = this.#hashes.add(words, wordAt);
    this.#packs[number] = pack;
    this.#ats[number] = at;
    this.#storedBytes[number] = storedBytes;
    this.#states[number] = isSealed ? SEALED : PLAIN;
  }

  /** Forgets a chunk. */
  remove(hash: Uint8Array): void {
    const number = this.#hashes.find(hashWords(hash));
    if (number >= 0) this.#states[number] = ABSENT;
  }

  /**
   * Looks at the next places by hash, which are forgotten with {@linkcode FreshPlaces.forget}. From the first call on
   * none may be set.
   *
   * @param visit Told the number of each; {@linkcode FreshPlaces.write} says what is there.
   * @returns How many it was told of.
   */
  peek(recordsMax: number, visit: (number: number) => void): number {
    const order = this.#order ??= this.#sort();
    let count = 0;
    for (let i = this.#taken; i < order.length && count < recordsMax; i++) {
      const number = numberIn(order[i] ?? 0);
      if (this.#states[number] === ABSENT) continue;
      visit(number);
      count += 1;
    }
    return count;
  }

  /** Writes a place as a row of the index. */
  write(number: number, bytes: Uint8Array, start: number): void {
    this.#hashes.copy(number, bytes, start);
    writeRow(
      bytes,
      start,
      this.#packs[number] ?? 0,
      this.#ats[number] ?? 0,
      this.#storedBytes[number] ?? 0,
      this.#states[number] === SEALED,
    );
  }

  /** Forgets the next so many places. */
  forget(records: number): void {
    const order = this.#order ??= this.#sort();
    for (let count = 0; count < records && this.#taken < order.length; this.#taken++) {
      const number = numberIn(order[this.#taken] ?? 0);
      if (this.#states[number] === ABSENT) continue;
      this.#states[number] = ABSENT;
      count += 1;
    }
    if (this.#taken === order.length) this.clear();
  }

  /** Forgets all. */
  clear(): void {
    this.#hashes.clear();
    this.#states.fill(ABSENT);
    this.#order = undefined;
    this.#taken = 0;
  }

  #sort(): Float64Array<ArrayBuffer> {
    const order = new Float64Array(this.#hashes.count);
    for (let number = 0; number < order.length; number++) {
      order[number] = Math.floor(this.#hashes.orderOf(number) / ORDER_CUT) * NUMBERS + number;
    }
    return order.sort();
  }
}

/** The number that a place was sorted with; a remainder of so large numbers would take longer. */
function numberIn(key: number): number {
  return key - Math.floor(key / NUMBERS) * NUMBERS;
}
