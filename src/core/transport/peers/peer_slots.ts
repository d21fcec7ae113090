/**
 * Small numbers for peers, so that tables about peers can be columns of typed arrays.
 *
 * A slot belongs to one node until it is released; whoever keeps columns by slot clears them first.
 */

import { PairMap } from "../../../base/mod.ts";
import { PEERS_MAX } from "../limits.ts";

/** No slot. */
export const NO_SLOT = -1;

/** Gives out slot numbers, the lowest free ones first used again. */
export class PeerSlots {
  readonly #max: number;
  readonly #slots = new PairMap<number>(64);
  readonly #free: number[] = [];
  #used = 0;

  /** @param max Slots there are at most. */
  constructor(max = PEERS_MAX) {
    this.#max = max;
  }

  /** Slots in use. */
  get size(): number {
    return this.#slots.size;
  }

  /** The node's slot, or {@linkcode NO_SLOT}. */
  get(low: number, high: number): number {
    return this.#slots.get(low, high) ?? NO_SLOT;
  }

  /** The node's slot, given to it now if it has none; {@linkcode NO_SLOT} when all are taken. */
  claim(low: number, high: number): number {
    const known = this.#slots.get(low, high);
    if (known !== undefined) return known;
    if (this.#slots.size >= this.#max) return NO_SLOT;
    const slot = this.#free.pop() ?? this.#used++;
    this.#slots.set(low, high, slot);
    return slot;
  }

  /** Takes the slot back and returns it; {@linkcode NO_SLOT} when the node had none. */
  release(low: number, high: number): number {
    const slot = this.#slots.get(low, high);
    if (slot === undefined) return NO_SLOT;
    this.#slots.delete(low, high);
    this.#free.push(slot);
    return slot;
  }
}
