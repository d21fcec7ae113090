/**
 * The neighbours of a node, peers that are reached without a relay, as a list without holes: to go over
 * all of them, or over a few beginning anywhere, without looking at any other peer.
 */

import { lengthFor, widen } from "../columns.ts";
import type { Peer } from "../peers/peers.ts";

const NOWHERE = -1;

/** A set of peers by slot. */
export class Neighbours {
  readonly #list: Peer[] = [];
  #places = new Int32Array(64).fill(NOWHERE);

  /** How many there are. */
  get size(): number {
    return this.#list.length;
  }

  /** The neighbour at a place, 0 to `size`; places change when one is deleted. */
  at(place: number): Peer | undefined {
    return this.#list[place];
  }

  /** True when the peer is one of them. */
  has(peer: Peer): boolean {
    return this.#list[this.#places[peer.slot] ?? NOWHERE] === peer;
  }

  /** Adds a peer; false when it was there. */
  add(peer: Peer): boolean {
    if (peer.slot < 0 || this.has(peer)) return false;
    this.#grow(peer.slot);
    this.#places[peer.slot] = this.#list.length;
    this.#list.push(peer);
    return true;
  }

  /** Removes a peer; false when it was not there. The last one takes its place. */
  delete(peer: Peer): boolean {
    if (!this.has(peer)) return false;
    const place = this.#places[peer.slot] ?? NOWHERE;
    this.#places[peer.slot] = NOWHERE;
    const last = this.#list.pop();
    if (last === undefined || last === peer) return true;
    this.#list[place] = last;
    this.#places[last.slot] = place;
    return true;
  }

  #grow(slot: number): void {
    if (slot < this.#places.length) return;
    const length = lengthFor(slot, this.#places.length);
    this.#places = widen(this.#places, new Int32Array(length).fill(NOWHERE));
  }
}
