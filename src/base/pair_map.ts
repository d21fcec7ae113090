/**
 * A map keyed by 64-bit ids held as two 32-bit halves.
 *
 * Open addressing with linear probing in typed arrays: a lookup costs a few nanoseconds and allocates
 * nothing, where a `Map<bigint, …>` costs a heap number per call.
 */

const EMPTY = -1;

/** Map from a pair of unsigned 32-bit numbers to a value. */
export class PairMap<V> {
  #mask: number;
  /** Low and high half of each slot's key, interleaved. */
  #keys: Uint32Array;
  /** Index into `#values`, or EMPTY. */
  #slots: Int32Array;
  #values: (V | undefined)[] = [];
  #free: number[] = [];
  #size = 0;

  /** @param capacity Expected number of entries; the map grows beyond it on its own. */
  constructor(capacity = 8) {
    let slots = 16;
    while (isCrowded(capacity, slots)) slots *= 2;
    this.#mask = slots - 1;
    this.#keys = new Uint32Array(slots * 2);
    this.#slots = new Int32Array(slots).fill(EMPTY);
  }

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** Value of the id, or `undefined`. */
  get(low: number, high: number): V | undefined {
    const index = this.#slots[this.#find(low >>> 0, high >>> 0)] as number;
    return index === EMPTY ? undefined : this.#values[index];
  }

  /** Sets the value of the id. */
  set(low: number, high: number, value: V): void {
    const slot = this.#find(low >>> 0, high >>> 0);
    const index = this.#slots[slot] as number;
    if (index !== EMPTY) {
      this.#values[index] = value;
      return;
    }
    const place = this.#free.pop() ?? this.#values.length;
    this.#values[place] = value;
    this.#slots[slot] = place;
    this.#keys[slot * 2] = low;
    this.#keys[slot * 2 + 1] = high;
    this.#size += 1;
    if (isCrowded(this.#size, this.#mask + 1)) this.#grow();
  }

  /** Removes the id; false when it was not there. */
  delete(low: number, high: number): boolean {
    let hole = this.#find(low >>> 0, high >>> 0);
    const index = this.#slots[hole] as number;
    if (index === EMPTY) return false;
    this.#values[index] = undefined;
    this.#free.push(index);
    this.#size -= 1;
    // Backward-shift deletion: later entries of the same run move up, so no tombstones are needed.
    let next = (hole + 1) & this.#mask;
    while (this.#slots[next] !== EMPTY) {
      const home = this.#home(this.#keys[next * 2] as number, this.#keys[next * 2 + 1] as number);
      if (((next - home) & this.#mask) >= ((next - hole) & this.#mask)) {
        this.#slots[hole] = this.#slots[next] as number;
        this.#keys[hole * 2] = this.#keys[next * 2] as number;
        this.#keys[hole * 2 + 1] = this.#keys[next * 2 + 1] as number;
        hole = next;
      }
      next = (next + 1) & this.#mask;
    }
    this.#slots[hole] = EMPTY;
    return true;
  }

  /** Removes everything. */
  clear(): void {
    this.#slots.fill(EMPTY);
    this.#values = [];
    this.#free = [];
    this.#size = 0;
  }

  /** All values, in no particular order; entries may be deleted while iterating. */
  *values(): Generator<V, void, undefined> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }

  /** All ids and values, in no particular order; entries may be deleted after they were seen. */
  entries(): [low: number, high: number, value: V][] {
    const entries: [number, number, V][] = [];
    for (let slot = 0; slot < this.#slots.length; slot++) {
      const index = this.#slots[slot] as number;
      if (index === EMPTY) continue;
      const value = this.#values[index] as V;
      entries.push([this.#keys[slot * 2] as number, this.#keys[slot * 2 + 1] as number, value]);
    }
    return entries;
  }

  #home(low: number, high: number): number {
    let hash = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    return (hash ^ (hash >>> 13)) & this.#mask;
  }

  #find(low: number, high: number): number {
    let slot = this.#home(low, high);
    while (
      this.#slots[slot] !== EMPTY &&
      (this.#keys[slot * 2] !== low || this.#keys[slot * 2 + 1] !== high)
    ) slot = (slot + 1) & this.#mask;
    return slot;
  }

  #grow(): void {
    const { keys, slots } = { keys: this.#keys, slots: this.#slots };
    this.#mask = this.#mask * 2 + 1;
    this.#keys = new Uint32Array((this.#mask + 1) * 2);
    this.#slots = new Int32Array(this.#mask + 1).fill(EMPTY);
    for (let old = 0; old < slots.length; old++) {
      const index = slots[old] as number;
      if (index === EMPTY) continue;
      const low = keys[old * 2] as number;
      const high = keys[old * 2 + 1] as number;
      const slot = this.#find(low, high);
      this.#slots[slot] = index;
      this.#keys[slot * 2] = low;
      this.#keys[slot * 2 + 1] = high;
    }
  }
}

/** True when more than three quarters of the slots are in use: then a search takes three looks and more. */
function isCrowded(size: number, slots: number): boolean {
  return size * 4 > slots * 3;
}

/** Low 32 bits of a 64-bit id. */
export function lowHalf(id: bigint): number {
  return Number(id & 0xffffffffn);
}

/** High 32 bits of a 64-bit id. */
export function highHalf(id: bigint): number {
  return Number((id >> 32n) & 0xffffffffn);
}

/** The 64-bit id of two halves. */
export function joinHalves(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
