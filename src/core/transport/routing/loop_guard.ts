/**
 * Recognises packets that come by a second time (promise 93): a small set of the last ones relayed.
 *
 * A packet is known by who claims to have sent it, its session, its packet counter and its tag, so a
 * retransmission, which has a fresh counter, is another packet, and nobody can keep a packet out by
 * sending another one in its name before it. Entries are replaced by whatever comes to lie on them;
 * looking costs one place in a typed array.
 */

import { HEADER_BYTES } from "../wire/header.ts";
import { LOOP_GUARD_ENTRIES } from "../mesh_limits.ts";

const COUNTER_AT = 16;
const SESSION_AT = 24;
const TAG_BYTES_READ = 8;

/** The last packets relayed. */
export class LoopGuard {
  readonly #mask: number;
  readonly #seed: number;
  /** Two words a packet; made when the first one is relayed, because most nodes relay nothing. */
  #words: Uint32Array | undefined;

  /**
   * @param seed Makes it unpredictable which packets share a place.
   * @param entries Packets remembered; a power of two.
   */
  constructor(seed: number, entries = LOOP_GUARD_ENTRIES) {
    this.#seed = seed | 0;
    this.#mask = entries - 1;
  }

  /**
   * Notes a packet; false when it was noted before and nothing has taken its place since.
   *
   * @param source Routing id of the sender, from the routing header.
   * @param at Start of the packet behind the routing header.
   * @param length Its bytes; at least those of a header.
   */
  admit(view: DataView, source: number, at: number, length: number): boolean {
    const tail = length >= HEADER_BYTES + TAG_BYTES_READ ? at + length - TAG_BYTES_READ : at;
    // Two hashes of the same words in another order; the place depends on all of them.
    const counterLow = view.getUint32(at + COUNTER_AT, true);
    const counterHigh = view.getUint32(at + COUNTER_AT + 4, true);
    const sessionLow = view.getUint32(at + SESSION_AT, true);
    const sessionHigh = view.getUint32(at + SESSION_AT + 4, true);
    const tagLow = view.getUint32(tail, true);
    const tagHigh = view.getUint32(tail + 4, true);
    let first = mix(mix(mix(this.#seed, source), counterLow), sessionLow);
    first = mix(mix(mix(mix(first, tagLow), tagHigh), counterHigh), sessionHigh);
    let second = mix(mix(mix(~this.#seed, tagHigh), sessionHigh), counterLow);
    second = mix(mix(mix(mix(second, counterHigh), sessionLow), source), tagLow);
    const words = this.#words ??= new Uint32Array(2 * (this.#mask + 1));
    const place = 2 * (first & this.#mask);
    // An empty place is two zeros, which no packet leaves.
    const mark = second | 1;
    if (words[place] === (first >>> 0) && words[place + 1] === (mark >>> 0)) return false;
    words[place] = first;
    words[place + 1] = mark;
    return true;
  }
}

function mix(hash: number, word: number): number {
  let mixed = Math.imul(hash ^ word, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35);
  return mixed ^ (mixed >>> 13);
}
