/**
 * Calls that have ended: a request that comes once more must not run its handler again. Two generations in typed
 * arrays; when the younger is full the older is forgotten, so that at least one generation is always remembered.
 */
import { RECENT_CALLS } from "./limits.ts";

/** Numbers of an entry: two of the call, one of the caller. */
const ENTRY = 3;

/** A set of calls that forgets the oldest. */
export class RecentCalls {
  readonly #max: number;
  readonly #mask: number;
  readonly #seed: number;
  #young: Uint32Array | undefined;
  #old: Uint32Array | undefined;
  #count = 0;

  /**
   * @param seed Whatever no peer knows, so that none can choose ids that fall on one place.
   * @param max Calls of one generation, a power of two.
   */
  constructor(seed = 0, max = RECENT_CALLS) {
    this.#seed = seed;
    this.#max = max;
    // Half of the places stay empty.
    this.#mask = max * 2 - 1;
  }

  /** Remembers a call; no call is 0. */
  add(low: number, high: number, caller: number): void {
    // Nodes that serve nothing need no memory for it.
    this.#young ??= new Uint32Array((this.#mask + 1) * ENTRY);
    if (this.#count >= this.#max) {
      const old = this.#old ?? new Uint32Array((this.#mask + 1) * ENTRY);
      this.#old = this.#young;
      this.#young = old.fill(0);
      this.#count = 0;
    }
    const young = this.#young;
    const at = this.#find(young, low, high, caller);
    if (young[at] !== 0 || young[at + 1] !== 0) return;
    young[at] = low;
    young[at + 1] = high;
    young[at + 2] = caller;
    this.#count += 1;
  }

  /** True for a call that is remembered. */
  has(low: number, high: number, caller: number): boolean {
    return this.#isIn(this.#young, low, high, caller) || this.#isIn(this.#old, low, high, caller);
  }

  #isIn(table: Uint32Array | undefined, low: number, high: number, caller: number): boolean {
    if (table === undefined) return false;
    const at = this.#find(table, low, high, caller);
    return table[at] !== 0 || table[at + 1] !== 0;
  }

  /** Where the call is, or would be. */
  #find(table: Uint32Array, low: number, high: number, caller: number): number {
    let hash = mix(mix(mix(this.#seed, caller), high), low);
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    for (let slot = hash & this.#mask;; slot = (slot + 1) & this.#mask) {
      const at = slot * ENTRY;
      if (table[at] === 0 && table[at + 1] === 0) return at;
      if (table[at] === low && table[at + 1] === high && table[at + 2] === caller) return at;
    }
  }
}

/** A round of MurmurHash3. */
function mix(hash: number, word: number): number {
  let bits = Math.imul(word, 0xcc9e2d51);
  bits = Math.imul((bits << 15) | (bits >>> 17), 0x1b873593);
  const mixed = hash ^ bits;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}
