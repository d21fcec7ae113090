/**
 * Who hears whom, as pingwaves tell (`wire.md` 10.2, 12): the graph that offers a way round when a
 * route is withdrawn.
 *
 * Edges are columns of typed arrays; the search runs on withdrawals only and reads every edge once per
 * hop. Edges from this node to its neighbours are the neighbours themselves; only how fast each is heard
 * is kept, by slot. Pingwaves are not authenticated, so the graph is a hint: what it suggests is tried, not trusted.
 */

import { PairMap } from "../../../base/mod.ts";
import { lengthFor, widen } from "../columns.ts";
import { NO_HOP } from "./hop_columns.ts";
import { ALTERNATE_HOPS_MAX, EDGES_MAX } from "../mesh_limits.ts";

/** Counters of the graph. */
export interface TopologyCounters {
  edges_added_total: number;
  edges_removed_total: number;
  edges_expired_total: number;
  drop_edge_limit_total: number;
}

/** A way to a node. */
export interface AlternatePath {
  /** Slot of the neighbour to start with. */
  readonly hop: number;
  /** Edges from this node to the destination. */
  readonly edges: number;
}

/** Tells how good a node is as first hop: its slot if it is a usable neighbour, else `NO_HOP`. */
export interface FirstHops {
  /** Slot of the neighbour with this id, or `NO_HOP`. */
  slotOf(low: number, high: number): number;
  /** True when packets may be handed to it at all. */
  isUsable(slot: number): boolean;
  /** True when it is silent: used only if nothing else leads there. */
  isSuspected(slot: number): boolean;
}

/** Options of {@linkcode Topology}. */
export interface TopologyOptions {
  readonly selfLow: number;
  readonly selfHigh: number;
  /** An edge that nothing refreshed for so long is dead: three session timeouts. */
  readonly maxAgeMs: number;
  readonly edgesMax?: number;
}

/** Weight of a new latency sample: 1/8. */
const SMOOTHING = 0.125;

/** Edges between nodes. */
export class Topology {
  readonly counters: TopologyCounters = {
    edges_added_total: 0,
    edges_removed_total: 0,
    edges_expired_total: 0,
    drop_edge_limit_total: 0,
  };
  readonly #options: TopologyOptions;
  readonly #edgesMax: number;
  /** Number of a node, by id; a node lives as long as it has an edge. */
  readonly #nodes = new PairMap<number>(64);
  readonly #nodeLow: number[] = [];
  readonly #nodeHigh: number[] = [];
  readonly #nodeEdges: number[] = [];
  readonly #nodesFree: number[] = [];
  /** Place of an edge, by the numbers of its nodes. */
  readonly #edges = new PairMap<number>(64);
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  readonly #latencyMs: Float64Array;
  readonly #seenAt: Float64Array;
  /** Smoothed latency of each neighbour, by slot; 0 when it was not heard. */
  #hopMs = new Float32Array(64);

  constructor(options: TopologyOptions) {
    this.#options = options;
    this.#edgesMax = options.edgesMax ?? EDGES_MAX;
    this.#from = new Int32Array(this.#edgesMax);
    this.#to = new Int32Array(this.#edgesMax);
    this.#latencyMs = new Float64Array(this.#edgesMax);
    this.#seenAt = new Float64Array(this.#edgesMax);
  }

  /** Edges between others, dead ones included until the next sweep. */
  get edgeCount(): number {
    return this.#edges.size;
  }

  /** Nodes with an edge. */
  get nodeCount(): number {
    return this.#nodes.size;
  }

  /**
   * A pingwave of `origin` came from the neighbour: we hear the neighbour, and it hears the origin.
   *
   * @param hop Slot of the neighbour.
   * @param latencyMs Time since the pingwave's emission; negative ones count as 0.
   */
  onPingwave(
    hop: number,
    neighbourLow: number,
    neighbourHigh: number,
    originLow: number,
    originHigh: number,
    latencyMs: number,
    now: number,
  ): void {
    this.#hear(hop, latencyMs);
    if (neighbourLow === originLow && neighbourHigh === originHigh) return;
    this.#touch(neighbourLow, neighbourHigh, originLow, originHigh, latencyMs, now);
  }

  /** Smoothed latency of an edge in milliseconds, or `undefined`. */
  latency(fromLow: number, fromHigh: number, toLow: number, toHigh: number): number | undefined {
    const place = this.#find(fromLow, fromHigh, toLow, toHigh);
    return place === undefined ? undefined : this.#latencyMs[place];
  }

  /** Smoothed latency of a neighbour in milliseconds, or `undefined`. */
  hopLatency(hop: number): number | undefined {
    const ms = this.#hopMs[hop] ?? 0;
    return ms === 0 ? undefined : ms;
  }

  /** Removes one edge; false when there was none. */
  removeEdge(fromLow: number, fromHigh: number, toLow: number, toHigh: number): boolean {
    const place = this.#find(fromLow, fromHigh, toLow, toHigh);
    if (place === undefined) return false;
    this.#remove(place);
    this.counters.edges_removed_total += 1;
    return true;
  }

  /** Forgets a neighbour that failed, and what it told. */
  removeNeighbour(hop: number, low: number, high: number): void {
    if (hop < this.#hopMs.length) this.#hopMs[hop] = 0;
    const node = this.#nodes.get(low, high);
    if (node === undefined) return;
    for (let place = this.#edges.size - 1; place >= 0; place--) {
      if (this.#from[place] !== node) continue;
      this.#remove(place);
      this.counters.edges_removed_total += 1;
    }
  }

  /** Forgets what is too old. Returns how many edges went. */
  sweep(now: number): number {
    let expired = 0;
    for (let place = this.#edges.size - 1; place >= 0; place--) {
      if (!this.#isOld(place, now)) continue;
      this.#remove(place);
      expired += 1;
    }
    this.counters.edges_expired_total += expired;
    return expired;
  }

  /**
   * The shortest way to a node that does not start with `exceptHop`; among equals a neighbour that is
   * not suspected, then the one heard fastest.
   */
  findAlternate(
    low: number,
    high: number,
    exceptHop: number,
    hops: FirstHops,
    now: number,
  ): AlternatePath | undefined {
    const { selfLow, selfHigh } = this.#options;
    if (low === selfLow && high === selfHigh) return undefined;
    const target = this.#nodes.get(low, high);
    if (target === undefined) {
      // Nobody told of it, but it may be a neighbour.
      const hop = hops.slotOf(low, high);
      return hop === NO_HOP || hop === exceptHop || !hops.isUsable(hop)
        ? undefined
        : { hop, edges: 1 };
    }
    const isVisited = new Uint8Array(this.#nodeLow.length);
    const self = this.#nodes.get(selfLow, selfHigh);
    if (self !== undefined) isVisited[self] = 1;
    isVisited[target] = 1;
    let level = [target];
    let silent: AlternatePath | undefined;
    for (let edges = 1; edges <= ALTERNATE_HOPS_MAX && level.length > 0; edges++) {
      let best: AlternatePath | undefined;
      let bestMs = Infinity;
      for (const node of level) {
        const hop = hops.slotOf(this.#nodeLow[node] ?? 0, this.#nodeHigh[node] ?? 0);
        if (hop === NO_HOP || hop === exceptHop || !hops.isUsable(hop)) continue;
        if (hops.isSuspected(hop)) silent ??= { hop, edges };
        else {
          const ms = this.hopLatency(hop) ?? Infinity;
          if (best !== undefined && ms >= bestMs) continue;
          best = { hop, edges };
          bestMs = ms;
        }
      }
      if (best !== undefined) return best;
      level = this.#listeners(level, isVisited, now);
    }
    return silent;
  }

  /** Nodes not yet visited from which a node of the level is heard. */
  #listeners(level: readonly number[], isVisited: Uint8Array, now: number): number[] {
    const isInLevel = new Uint8Array(this.#nodeLow.length);
    for (const node of level) isInLevel[node] = 1;
    const next: number[] = [];
    for (let place = 0; place < this.#edges.size; place++) {
      const from = this.#from[place] ?? 0;
      if (isInLevel[this.#to[place] ?? 0] === 0 || isVisited[from] === 1) continue;
      if (this.#isOld(place, now)) continue;
      isVisited[from] = 1;
      next.push(from);
    }
    return next;
  }

  #hear(hop: number, latencyMs: number): void {
    if (hop >= this.#hopMs.length) {
      const length = lengthFor(hop, this.#hopMs.length);
      this.#hopMs = widen(this.#hopMs, new Float32Array(length));
    }
    // 0 says that it was not heard.
    const sample = Math.max(latencyMs, 1e-6);
    const before = this.hopLatency(hop) ?? sample;
    this.#hopMs[hop] = before + SMOOTHING * (sample - before);
  }

  #touch(
    fromLow: number,
    fromHigh: number,
    toLow: number,
    toHigh: number,
    latencyMs: number,
    now: number,
  ): void {
    const sample = Math.max(0, latencyMs);
    const known = this.#find(fromLow, fromHigh, toLow, toHigh);
    if (known !== undefined) {
      const before = this.#latencyMs[known] ?? sample;
      this.#latencyMs[known] = before + SMOOTHING * (sample - before);
      this.#seenAt[known] = now;
      return;
    }
    // One neighbour may fill half of the graph: its inventions leave room for the others'.
    const fromNode = this.#nodes.get(fromLow, fromHigh);
    const degree = fromNode === undefined ? 0 : this.#nodeEdges[fromNode] ?? 0;
    if (this.#edges.size >= this.#edgesMax || degree > this.#edgesMax / 2) {
      this.counters.drop_edge_limit_total += 1;
      return;
    }
    const place = this.#edges.size;
    const from = this.#claim(fromLow, fromHigh);
    const to = this.#claim(toLow, toHigh);
    this.#edges.set(from, to, place);
    this.#from[place] = from;
    this.#to[place] = to;
    this.#latencyMs[place] = sample;
    this.#seenAt[place] = now;
    this.counters.edges_added_total += 1;
  }

  /** Edges lie without holes: the last one moves into the place of the removed one. */
  #remove(place: number): void {
    const from = this.#from[place] ?? 0;
    const to = this.#to[place] ?? 0;
    const last = this.#edges.size - 1;
    this.#edges.delete(from, to);
    if (place !== last) {
      const lastFrom = this.#from[last] ?? 0;
      const lastTo = this.#to[last] ?? 0;
      this.#from[place] = lastFrom;
      this.#to[place] = lastTo;
      this.#latencyMs[place] = this.#latencyMs[last] ?? 0;
      this.#seenAt[place] = this.#seenAt[last] ?? 0;
      this.#edges.set(lastFrom, lastTo, place);
    }
    this.#release(from);
    this.#release(to);
  }

  #claim(low: number, high: number): number {
    const known = this.#nodes.get(low, high);
    const node = known ?? this.#nodesFree.pop() ?? this.#nodeLow.length;
    if (known === undefined) {
      this.#nodeLow[node] = low;
      this.#nodeHigh[node] = high;
      this.#nodeEdges[node] = 0;
      this.#nodes.set(low, high, node);
    }
    this.#nodeEdges[node] = (this.#nodeEdges[node] ?? 0) + 1;
    return node;
  }

  #release(node: number): void {
    const left = (this.#nodeEdges[node] ?? 1) - 1;
    this.#nodeEdges[node] = left;
    if (left > 0) return;
    this.#nodes.delete(this.#nodeLow[node] ?? 0, this.#nodeHigh[node] ?? 0);
    this.#nodesFree.push(node);
  }

  #find(fromLow: number, fromHigh: number, toLow: number, toHigh: number): number | undefined {
    const from = this.#nodes.get(fromLow, fromHigh);
    const to = this.#nodes.get(toLow, toHigh);
    return from === undefined || to === undefined ? undefined : this.#edges.get(from, to);
  }

  #isOld(place: number, now: number): boolean {
    return now - (this.#seenAt[place] ?? 0) > this.#options.maxAgeMs;
  }
}
