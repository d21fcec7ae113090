/**
 * Nodes heard of through pingwaves: how fresh the last word of each is, and how good the way it came
 * (promises 91, 92).
 *
 * Freshness and quality are kept apart. The newest sequence is always noted; the way is replaced only by
 * a pingwave that is not older and not longer. So an old pingwave that somebody kept, or made up with a
 * smaller distance, changes nothing.
 */

import { joinHalves, PairMap } from "../../base/mod.ts";
import { NODES_MAX, RESTART_SKEW_MS, ROUTES_PER_HOP_SHARE } from "./mesh_limits.ts";
import type { FirstHops } from "./topology.ts";
import type { DiscoveredNode } from "./types.ts";

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

/** A node. */
interface Entry {
  readonly low: number;
  readonly high: number;
  sequenceLow: number;
  sequenceHigh: number;
  sentAtMs: number;
  /** Time of the newest pingwave. */
  seenAt: number;
  // The way.
  via: number;
  hops: number;
  latencyMs: number;
  /** Time of the last pingwave that came this way. */
  carriedAt: number;
  capabilityVersion: number;
  load: number;
  health: number;
}

/** Options of {@linkcode NodeTable}. */
export interface NodeTableOptions {
  /** A node nothing was heard of for so long is forgotten: three session timeouts. */
  readonly maxAgeMs: number;
  readonly nodesMax?: number;
}

/** All nodes heard of. */
export class NodeTable {
  readonly #maxAgeMs: number;
  readonly #nodesMax: number;
  readonly #perHopMax: number;
  readonly #nodes = new PairMap<Entry>(64);
  /** Nodes whose way leads through a neighbour, by its slot. */
  readonly #perHop: number[] = [];

  constructor(options: NodeTableOptions) {
    this.#maxAgeMs = options.maxAgeMs;
    this.#nodesMax = options.nodesMax ?? NODES_MAX;
    this.#perHopMax = Math.max(1, Math.floor(this.#nodesMax * ROUTES_PER_HOP_SHARE));
  }

  /** Nodes known. */
  get size(): number {
    return this.#nodes.size;
  }

  /** Compares a pingwave with what is known, and changes nothing. */
  judge(word: NodeWord, now: number): Freshness {
    const entry = this.#nodes.get(word.low, word.high);
    if (entry === undefined || now - entry.seenAt > this.#maxAgeMs) {
      const isFull = entry === undefined && this.#nodes.size >= this.#nodesMax;
      const isHopFull = (this.#perHop[word.via] ?? 0) >= this.#perHopMax;
      return isFull || isHopFull ? Freshness.NoRoom : Freshness.New;
    }
    const order = compare(word, entry);
    if (order === 0) return Freshness.Copy;
    if (order > 0 || word.isOwnWord) return Freshness.New;
    // A node that started again counts from 1; replaying its old pingwaves does not make them young.
    return word.sentAtMs > entry.sentAtMs + RESTART_SKEW_MS ? Freshness.New : Freshness.Stale;
  }

  /**
   * Notes a pingwave that was judged new or a copy.
   *
   * @param hops Tells whether packets may be handed to a neighbour.
   */
  note(word: NodeWord, now: number, hops: Pick<FirstHops, "isUsable">): void {
    let entry = this.#nodes.get(word.low, word.high);
    if (entry === undefined) {
      entry = create(word, now);
      this.#nodes.set(word.low, word.high, entry);
      this.#count(word.via, 1);
      return;
    }
    const isCopy = compare(word, entry) === 0;
    if (!isCopy) {
      entry.sequenceLow = word.sequenceLow;
      entry.sequenceHigh = word.sequenceHigh;
      entry.sentAtMs = word.sentAtMs;
      entry.capabilityVersion = word.capabilityVersion;
      entry.load = word.load;
      entry.health = word.health;
    }
    const isSameWay = entry.via === word.via && word.hops === entry.hops;
    const isBroken = !hops.isUsable(entry.via) || now - entry.carriedAt > this.#maxAgeMs;
    entry.seenAt = now;
    if (word.hops > entry.hops && !isBroken) return;
    if (isCopy && word.hops === entry.hops && !isSameWay && !isBroken) return;
    if (entry.via !== word.via) {
      this.#count(entry.via, -1);
      this.#count(word.via, 1);
    }
    entry.via = word.via;
    entry.hops = word.hops;
    entry.latencyMs = word.latencyMs;
    entry.carriedAt = now;
  }

  /** Forgets what is too old. */
  sweep(now: number): void {
    for (const entry of this.#nodes.values()) {
      if (now - entry.seenAt <= this.#maxAgeMs) continue;
      this.#nodes.delete(entry.low, entry.high);
      this.#count(entry.via, -1);
    }
  }

  /** Forgets the nodes whose way leads through a neighbour that is gone. */
  forgetVia(slot: number): void {
    if ((this.#perHop[slot] ?? 0) === 0) return;
    for (const entry of this.#nodes.values()) {
      if (entry.via === slot) this.#nodes.delete(entry.low, entry.high);
    }
    this.#perHop[slot] = 0;
  }

  /**
   * All nodes, for display.
   *
   * @param idOf Id of the neighbour with a slot.
   */
  nodes(idOf: (slot: number) => bigint): DiscoveredNode[] {
    return [...this.#nodes.values()].map((entry) => ({
      nodeId: joinHalves(entry.low, entry.high),
      via: idOf(entry.via),
      hops: entry.hops,
      seenAt: entry.seenAt,
      latencyMs: entry.latencyMs,
      load: entry.load,
      health: entry.health,
      capabilityVersion: entry.capabilityVersion,
    }));
  }

  #count(slot: number, change: number): void {
    this.#perHop[slot] = Math.max(0, (this.#perHop[slot] ?? 0) + change);
  }
}

function compare(word: NodeWord, entry: Entry): number {
  if (word.sequenceHigh !== entry.sequenceHigh) return word.sequenceHigh - entry.sequenceHigh;
  return word.sequenceLow - entry.sequenceLow;
}

function create(word: NodeWord, now: number): Entry {
  return {
    low: word.low,
    high: word.high,
    sequenceLow: word.sequenceLow,
    sequenceHigh: word.sequenceHigh,
    sentAtMs: word.sentAtMs,
    seenAt: now,
    via: word.via,
    hops: word.hops,
    latencyMs: word.latencyMs,
    carriedAt: now,
    capabilityVersion: word.capabilityVersion,
    load: word.load,
    health: word.health,
  };
}
