/**
 * Which peer owns which address, found without making a text of the address.
 *
 * Open addressing over peer slots. No address is kept here: the peers have theirs, and say whether it is
 * the one that was asked for. So an entry takes 8 bytes, where a `Map` of texts takes about 120. The hash has no secret:
 * only peers with a session own an address, one each.
 */
import { hashAddress } from "../address.ts";
import { NO_SLOT } from "./peer_slots.ts";
import type { SocketAddress } from "../types.ts";

const INITIAL = 64;

/** Slots of peers by the address they own. */
export class AddressIndex {
  readonly #owns: (slot: number, address: SocketAddress) => boolean;
  #slots = new Int32Array(INITIAL).fill(NO_SLOT);
  /** Hash of each place's address. */
  #hashes = new Int32Array(INITIAL);
  #size = 0;

  /** @param owns Tells whether this is the address of the peer with a slot that is in the index. */
  constructor(owns: (slot: number, address: SocketAddress) => boolean) {
    this.#owns = owns;
  }

  /** Addresses known. */
  get size(): number {
    return this.#size;
  }

  /** The owner's slot, or `NO_SLOT`. */
  get(address: SocketAddress): number {
    return this.#slots[this.#find(address, hashAddress(address))] ?? NO_SLOT;
  }

  /** Makes a peer the owner of an address, which it has from now on. */
  set(address: SocketAddress, slot: number): void {
    const hash = hashAddress(address);
    const place = this.#find(address, hash);
    if (this.#slots[place] === NO_SLOT) this.#size += 1;
    this.#slots[place] = slot;
    this.#hashes[place] = hash;
    // At most three quarters are in use, so that a search ends soon.
    if (4 * this.#size > 3 * this.#slots.length) this.#grow();
  }

  /** Forgets the owner of an address; false when it had none. To be called while it still is the peer's. */
  delete(address: SocketAddress): boolean {
    let hole = this.#find(address, hashAddress(address));
    if (this.#slots[hole] === NO_SLOT) return false;
    this.#size -= 1;
    // Later entries of the same run move up, so that no search ends too soon.
    const mask = this.#slots.length - 1;
    for (let next = (hole + 1) & mask; this.#slots[next] !== NO_SLOT; next = (next + 1) & mask) {
      const home = (this.#hashes[next] ?? 0) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      this.#slots[hole] = this.#slots[next] ?? NO_SLOT;
      this.#hashes[hole] = this.#hashes[next] ?? 0;
      hole = next;
    }
    this.#slots[hole] = NO_SLOT;
    return true;
  }

  /** Where the address is, or would be. */
  #find(address: SocketAddress, hash: number): number {
    const mask = this.#slots.length - 1;
    let place = hash & mask;
    for (;;) {
      const slot = this.#slots[place] ?? NO_SLOT;
      if (slot === NO_SLOT) return place;
      if (this.#hashes[place] === hash && this.#owns(slot, address)) return place;
      place = (place + 1) & mask;
    }
  }

  #grow(): void {
    const [slots, hashes] = [this.#slots, this.#hashes];
    const mask = 2 * slots.length - 1;
    this.#slots = new Int32Array(2 * slots.length).fill(NO_SLOT);
    this.#hashes = new Int32Array(2 * slots.length);
    for (const [old, slot] of slots.entries()) {
      if (slot === NO_SLOT) continue;
      const hash = hashes[old] ?? 0;
      let place = hash & mask;
      while (this.#slots[place] !== NO_SLOT) place = (place + 1) & mask;
      this.#slots[place] = slot;
      this.#hashes[place] = hash;
    }
  }
}
