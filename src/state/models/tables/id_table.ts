/**
 * The ids of a table's rows, and which slot each row is in. Rows lie side by side without holes: the last one moves
 * into the place of one that goes.
 *
 * While rows come with rising ids, and none but the last goes, their column is in order and is searched as it is. Then
 * an index is made: open addressing in typed arrays, as `base/pair_map.ts`, but with the ids in the column that
 * filters scan.
 */
import { U64Column } from "./u64_column.ts";

const EMPTY = -1;
const CAPACITY_FIRST = 16;
/**
 * Places that are looked at before the index is made anew with another hash. Half full with a million ids the longest
 * search is about a hundred; more are ids that somebody chose to meet.
 */
const PROBES_MAX = 256;
/** Hashes that are tried; whoever finds ids that meet under all of them has them. */
const SEEDS_MAX = 64;

/** Ids to slots 0..size-1. */
export class IdTable {
  readonly ids = new U64Column(CAPACITY_FIRST);
  #capacity = CAPACITY_FIRST;
  #size = 0;
  /** Slot by hash, 2 * capacity places; nothing is in it while ids are ascending. */
  #index = new Int32Array(0);
  #isAscending = true;
  #seed = 0;
  /** Places that the last search looked at. */
  #probes = 0;

  /** Rows. */
  get size(): number {
    return this.#size;
  }

  /** Rows there is room for; columns beside this one grow with it. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Times that ids met in so few places that another hash was taken. */
  get hashChanges(): number {
    return this.#seed;
  }

  /** True while slots are in the order of their ids: rows came with rising ids, and none but the last went. */
  get isAscending(): boolean {
    return this.#isAscending;
  }

  /** Slot of an id; -1 when there is none. */
  find(low: number, high: number): number {
    return this.#isAscending
      ? this.#search(low, high)
      : this.#index[this.#place(low, high)] as number;
  }

  /** Slot of an id given as bigint; -1 when there is none. */
  findId(id: bigint): number {
    if (id < 0n || id >> 64n !== 0n) return EMPTY;
    return this.find(Number(id & 0xffffffffn), Number(id >> 32n));
  }

  /** Adds an id that is not there; its slot, the last one. */
  add(low: number, high: number): number {
    const slot = this.#size;
    if (slot === this.#capacity) this.#grow();
    if (this.#isAscending && slot > 0 && !this.#isAbove(low, high, slot - 1)) this.#startIndex();
    this.ids.set(slot, low, high);
    this.#size += 1;
    if (this.#isAscending) return slot;
    this.#index[this.#place(low, high)] = slot;
    if (this.#probes > PROBES_MAX) this.#changeHash();
    return slot;
  }

  /** Removes the row of a slot; the last slot, whose row is to move there (the same when it was the last). */
  remove(slot: number): number {
    const last = this.#size - 1;
    if (this.#isAscending && slot !== last) this.#startIndex();
    if (!this.#isAscending) this.#forget(slot);
    this.#size = last;
    // Nothing is in order, and the index is empty again.
    if (last === 0) this.#isAscending = true;
    if (slot === last) return last;
    const { words } = this.ids;
    this.#index[this.#place(words[2 * last] as number, words[2 * last + 1] as number)] = slot;
    this.ids.copy(last, slot);
    return last;
  }

  /** Finds an id in a column that is in order. */
  #search(low: number, high: number): number {
    const { words } = this.ids;
    const last = this.#size - 1;
    if (last < 0 || this.#isAbove(low, high, last)) return EMPTY;
    // Ids that were counted up are where they are counted to.
    const guess = low - (words[0] as number);
    if (guess >= 0 && guess <= last && this.#isAt(low, high, guess)) return guess;
    let [from, to] = [0, last];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#isAbove(low, high, middle)) from = middle + 1;
      else to = middle;
    }
    return this.#isAt(low, high, from) ? from : EMPTY;
  }

  #isAt(low: number, high: number, slot: number): boolean {
    return this.ids.words[2 * slot] === low && this.ids.words[2 * slot + 1] === high;
  }

  #isAbove(low: number, high: number, slot: number): boolean {
    const before = this.ids.words[2 * slot + 1] as number;
    return high === before ? low > (this.ids.words[2 * slot] as number) : high > before;
  }

  #home(low: number, high: number): number {
    // The factor of the high half is odd, and another one for each seed.
    const factor = (0x9e3779b1 + Math.imul(this.#seed, 0x6c8e9cf6)) | 1;
    let hash = Math.imul(low ^ Math.imul(high, factor) ^ this.#seed, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    return (hash ^ (hash >>> 13)) & (this.#index.length - 1);
  }

  /** Where the id is in the index, or where it would go. */
  #place(low: number, high: number): number {
    const index = this.#index;
    const { words } = this.ids;
    const mask = index.length - 1;
    let place = this.#home(low, high);
    for (this.#probes = 0;; this.#probes++) {
      const slot = index[place] as number;
      if (slot === EMPTY) return place;
      if (words[2 * slot] === low && words[2 * slot + 1] === high) return place;
      place = (place + 1) & mask;
    }
  }

  /** Takes a row out of the index: later ones of the same run move up, so no tombstones are needed. */
  #forget(slot: number): void {
    const index = this.#index;
    const { words } = this.ids;
    const mask = index.length - 1;
    let hole = this.#place(words[2 * slot] as number, words[2 * slot + 1] as number);
    for (let next = (hole + 1) & mask; index[next] !== EMPTY; next = (next + 1) & mask) {
      const other = index[next] as number;
      const home = this.#home(words[2 * other] as number, words[2 * other + 1] as number);
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      index[hole] = other;
      hole = next;
    }
    index[hole] = EMPTY;
  }

  #grow(): void {
    this.#capacity *= 2;
    this.ids.grow(this.#capacity);
    if (!this.#isAscending) this.#startIndex();
  }

  /** Makes the index of all rows. */
  #startIndex(): void {
    this.#isAscending = false;
    // At most half full: a search takes one look and a half. One that is large enough is empty, and used again: a
    // queue that runs empty now and then must not pay for the room of its longest time.
    if (this.#index.length !== 2 * this.#capacity) {
      this.#index = new Int32Array(2 * this.#capacity).fill(EMPTY);
    }
    while (!this.#fillIndex()) this.#nextHash();
  }

  #changeHash(): void {
    if (this.#seed >= SEEDS_MAX) return;
    do this.#nextHash(); while (!this.#fillIndex());
  }

  #nextHash(): void {
    this.#seed += 1;
    this.#index.fill(EMPTY);
  }

  /** Puts all rows into the empty index; false when too many meet, and another hash can be tried. */
  #fillIndex(): boolean {
    const { words } = this.ids;
    for (let slot = 0; slot < this.#size; slot++) {
      this.#index[this.#place(words[2 * slot] as number, words[2 * slot + 1] as number)] = slot;
      if (this.#probes > PROBES_MAX && this.#seed < SEEDS_MAX) return false;
    }
    return true;
  }
}
