/**
 * Nodes heard of through pingwaves: how fresh the last word of each is, and how good the way it came
 * (promises 91, 92).
 *
 * Freshness and quality are kept apart. The newest sequence is always noted; the way is replaced only by
 * a pingwave that is not older and not longer. So an old pingwave that somebody kept, or made up with a
 * smaller distance, changes nothing.
 */

import { joinHalves, PairMap } from "../../../base/mod.ts";
import { lengthFor, widen } from "../columns.ts";
import { NODES_MAX, RESTART_SKEW_MS, ROUTES_PER_HOP_SHARE } from "../mesh_limits.ts";
import type { FirstHops } from "./topology.ts";
import type { DiscoveredNode } from "../types.ts";

/** How a pingwave compares with what is known of its origin. */
export const Freshness = {
  /** Newer than all before: to be passed on. */
  New: 0,
  /** A copy of the newest one, which came another way. */
  Copy: 1,
  /** Older than the newest one: worth nothing. */
  Stale: 2,
  /** The table has no room for another node, or for another one of that neighbour. */
  NoRoom: 3,
} as const;
/** A value of the table of the same name. */
export type Freshness = (typeof Freshness)[keyof typeof Freshness];

/** The word of a node, as a pingwave brought it. One object is reused for all. */
export class NodeWord {
  low = 0;
  high = 0;
  sequenceLow = 0;
  sequenceHigh = 0;
  /** When it was sent, by the origin's clock, in Unix milliseconds. */
  sentAtMs = 0;
  hops = 0;
  /** Slot of the neighbour that brought it. */
  via = 0;
  /** That neighbour is the origin itself: its own word always counts. */
  isOwnWord = false;
  latencyMs = 0;
  capabilityVersion = 0;
  load = 0;
  health = 0;
}

/** Options of {@linkcode NodeTable}. */
export interface NodeTableOptions {
  /** A node nothing was heard of for so long is forgotten: three session timeouts. */
  readonly maxAgeMs: number;
  readonly nodesMax?: number;
}

const INITIAL = 64;
/** No way. */
const NOBODY = -1;

/** All nodes heard of, in columns. */
export class NodeTable {
  readonly #maxAgeMs: number;
  readonly #nodesMax: number;
  readonly #perHopMax: number;
  /** Place of a node. */
  readonly #places = new PairMap<number>(INITIAL);
  readonly #free: number[] = [];
  #used = 0;
  #low = new Uint32Array(INITIAL);
  #high = new Uint32Array(INITIAL);
  #sequenceLow = new Uint32Array(INITIAL);
  #sequenceHigh = new Uint32Array(INITIAL);
  #sentAtMs = new Float64Array(INITIAL);
  /** Time of the newest pingwave. */
  #seenAt = new Float64Array(INITIAL);
  #version = new Uint32Array(INITIAL);
  #load = new Uint8Array(INITIAL);
  #health = new Uint8Array(INITIAL);
  // The way, and the time of the last pingwave that came it.
  #via = new Int32Array(INITIAL);
  #hops = new Uint8Array(INITIAL);
  #latencyMs = new Float32Array(INITIAL);
  #carriedAt = new Float64Array(INITIAL);
  /** Nodes whose way leads through a neighbour, by its slot. */
  #perHop = new Uint32Array(INITIAL);

  constructor(options: NodeTableOptions) {
    this.#maxAgeMs = options.maxAgeMs;
    this.#nodesMax = options.nodesMax ?? NODES_MAX;
    this.#perHopMax = Math.max(1, Math.floor(this.#nodesMax * ROUTES_PER_HOP_SHARE));
  }

  /** Nodes known. */
  get size(): number {
    return this.#places.size;
  }

  /** Compares a pingwave with what is known, and changes nothing. */
  judge(word: NodeWord, now: number): Freshness {
    const place = this.#places.get(word.low, word.high);
    if (place === undefined || now - at(this.#seenAt, place) > this.#maxAgeMs) {
      const isFull = place === undefined && this.#places.size >= this.#nodesMax;
      return isFull || at(this.#perHop, word.via) >= this.#perHopMax
        ? Freshness.NoRoom
        : Freshness.New;
    }
    const order = this.#compare(word, place);
    if (order === 0) return Freshness.Copy;
    if (order > 0 || word.isOwnWord) return Freshness.New;
    // A node that started again counts from 1; replaying its old pingwaves does not make them young.
    const isRestart = word.sentAtMs > at(this.#sentAtMs, place) + RESTART_SKEW_MS;
    return isRestart ? Freshness.New : Freshness.Stale;
  }

  /**
   * Notes a pingwave that was judged new or a copy.
   *
   * @param hops Tells whether packets may be handed to a neighbour.
   */
  note(word: NodeWord, now: number, hops: Pick<FirstHops, "isUsable">): void {
    const known = this.#places.get(word.low, word.high);
    const place = known ?? this.#create(word);
    const isCopy = known !== undefined && this.#compare(word, place) === 0;
    if (!isCopy) {
      this.#sequenceLow[place] = word.sequenceLow;
      this.#sequenceHigh[place] = word.sequenceHigh;
      this.#sentAtMs[place] = word.sentAtMs;
      this.#version[place] = word.capabilityVersion;
      this.#load[place] = word.load;
      this.#health[place] = word.health;
    }
    this.#seenAt[place] = now;
    if (known !== undefined && !this.#isBetter(word, place, isCopy, now, hops)) return;
    this.#setVia(place, word.via);
    this.#hops[place] = word.hops;
    this.#latencyMs[place] = word.latencyMs;
    this.#carriedAt[place] = now;
  }

  /** Forgets what is too old. */
  sweep(now: number): void {
    for (const place of this.#places.values()) {
      if (now - at(this.#seenAt, place) > this.#maxAgeMs) this.#remove(place);
    }
  }

  /** Forgets the nodes whose way leads through a neighbour that is gone. */
  forgetVia(slot: number): void {
    if (at(this.#perHop, slot) === 0) return;
    for (const place of this.#places.values()) if (this.#via[place] === slot) this.#remove(place);
  }

  /**
   * All nodes, for display.
   *
   * @param idOf Id of the neighbour with a slot.
   */
  nodes(idOf: (slot: number) => bigint): DiscoveredNode[] {
    return [...this.#places.values()].map((place) => ({
      nodeId: joinHalves(at(this.#low, place), at(this.#high, place)),
      via: idOf(at(this.#via, place)),
      hops: at(this.#hops, place),
      seenAt: at(this.#seenAt, place),
      latencyMs: at(this.#latencyMs, place),
      load: at(this.#load, place),
      health: at(this.#health, place),
      capabilityVersion: at(this.#version, place),
    }));
  }

  /** True when the way a pingwave came is to be used instead of the one known, or is that. */
  #isBetter(
    word: NodeWord,
    place: number,
    isCopy: boolean,
    now: number,
    hops: Pick<FirstHops, "isUsable">,
  ): boolean {
    const via = at(this.#via, place);
    if (!hops.isUsable(via) || now - at(this.#carriedAt, place) > this.#maxAgeMs) return true;
    const distance = word.hops - at(this.#hops, place);
    // Of two copies that came equally far the first one was faster.
    return distance < 0 || (distance === 0 && (!isCopy || word.via === via));
  }

  #compare(word: NodeWord, place: number): number {
    const high = word.sequenceHigh - at(this.#sequenceHigh, place);
    return high !== 0 ? high : word.sequenceLow - at(this.#sequenceLow, place);
  }

  #create(word: NodeWord): number {
    const place = this.#free.pop() ?? this.#used++;
    if (place >= this.#low.length) this.#grow(place);
    this.#places.set(word.low, word.high, place);
    this.#low[place] = word.low;
    this.#high[place] = word.high;
    this.#via[place] = NOBODY;
    return place;
  }

  #remove(place: number): void {
    this.#setVia(place, NOBODY);
    this.#places.delete(at(this.#low, place), at(this.#high, place));
    this.#free.push(place);
  }

  #setVia(place: number, slot: number): void {
    const before = at(this.#via, place);
    if (before >= 0) this.#perHop[before] = at(this.#perHop, before) - 1;
    this.#via[place] = slot;
    if (slot < 0) return;
    if (slot >= this.#perHop.length) {
      const length = lengthFor(slot, this.#perHop.length);
      this.#perHop = widen(this.#perHop, new Uint32Array(length));
    }
    this.#perHop[slot] = at(this.#perHop, slot) + 1;
  }

  #grow(place: number): void {
    const length = lengthFor(place, this.#low.length);
    this.#low = widen(this.#low, new Uint32Array(length));
    this.#high = widen(this.#high, new Uint32Array(length));
    this.#sequenceLow = widen(this.#sequenceLow, new Uint32Array(length));
    this.#sequenceHigh = widen(this.#sequenceHigh, new Uint32Array(length));
    this.#sentAtMs = widen(this.#sentAtMs, new Float64Array(length));
    this.#seenAt = widen(this.#seenAt, new Float64Array(length));
    this.#version = widen(this.#version, new Uint32Array(length));
    this.#load = widen(this.#load, new Uint8Array(length));
    this.#health = widen(this.#health, new Uint8Array(length));
    this.#via = widen(this.#via, new Int32Array(length));
    this.#hops = widen(this.#hops, new Uint8Array(length));
    this.#latencyMs = widen(this.#latencyMs, new Float32Array(length));
    this.#carriedAt = widen(this.#carriedAt, new Float64Array(length));
  }
}

/** A value of a column; 0 beyond its end. */
function at(column: ArrayLike<number>, place: number): number {
  return column[place] ?? 0;
}
