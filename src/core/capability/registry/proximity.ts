/**
 * How near other nodes are, out of what the transport knows (`capabilities.md` 18): sessions measure
 * round-trip times, pingwaves tell hops and the neighbour they came through.
 *
 * A picture of one moment. Who hears whom, and ways round, stay with the transport's own graph.
 */
import type { DiscoveredNode, PeerInfo } from "../../transport/mod.ts";

/** What a picture is made of. */
export interface ProximitySource {
  /** Nodes with a session, or that are being dialled. */
  peers(): Iterable<Pick<PeerInfo, "nodeId" | "rttMs" | "state">>;
  /** Nodes heard of through pingwaves. */
  discoveredNodes(): Iterable<Pick<DiscoveredNode, "nodeId" | "via" | "hops">>;
}

/** How far a node is. */
export interface NodeDistance {
  readonly nodeId: bigint;
  /** Edges on the way to it: 1 for a neighbour. */
  readonly hops: number;
  /** Measured round-trip time in milliseconds; `undefined` when only its hops are known. */
  readonly rttMs: number | undefined;
  /** Round-trip time to the neighbour that leads there: it is not nearer than that. */
  readonly rttAtLeastMs: number | undefined;
}

/** What to be near by. */
export type ProximityOrder = "rtt" | "hops";

/** Options of {@linkcode Proximity.nearest}. */
export interface NearestNodesOptions {
  /** Nodes wanted. */
  readonly count: number;
  /** `rtt` when left out. */
  readonly by?: ProximityOrder;
  /** Which nodes come into question; all when left out. */
  readonly accepts?: (nodeId: bigint) => boolean;
}

/** Distances at one moment. */
export class Proximity {
  readonly #distances = new Map<bigint, NodeDistance>();

  constructor(source: ProximitySource) {
    const rtts = new Map<bigint, number>();
    for (const { nodeId, rttMs, state } of source.peers()) {
      if (state !== "connected" && state !== "suspected") continue;
      if (rttMs !== undefined) rtts.set(nodeId, rttMs);
      this.#distances.set(nodeId, { nodeId, hops: 1, rttMs, rttAtLeastMs: rttMs });
    }
    for (const { nodeId, via, hops } of source.discoveredNodes()) {
      if (this.#distances.has(nodeId)) continue;
      const rttAtLeastMs = rtts.get(via);
      this.#distances.set(nodeId, { nodeId, hops: hops + 1, rttMs: undefined, rttAtLeastMs });
    }
  }

  /** Nodes with a distance. */
  get size(): number {
    return this.#distances.size;
  }

  /** How far a node is; `undefined` when nobody told of it. */
  distance(nodeId: bigint): NodeDistance | undefined {
    return this.#distances.get(nodeId);
  }

  /** Measured round-trip time to a node. */
  rttMs(nodeId: bigint): number | undefined {
    return this.#distances.get(nodeId)?.rttMs;
  }

  /**
   * The nearest nodes, the nearest first. By time, those that were measured come before all others; what
   * is equal goes by the other measure, then by id.
   *
   * @throws RangeError when the count is no whole number from 0.
   */
  nearest(
    { count, by = "rtt", accepts = () => true }: NearestNodesOptions,
  ): readonly NodeDistance[] {
    if (!Number.isInteger(count) || count < 0) {
      throw new RangeError(`Cannot take the nearest: count is ${count}, must be 0 or more`);
    }
    const found = [...this.#distances.values()].filter(({ nodeId }) => accepts(nodeId));
    return found.sort(by === "rtt" ? compareTimes : compareHops).slice(0, count);
  }
}

function compareTimes(left: NodeDistance, right: NodeDistance): number {
  return compareNumbers(left.rttMs, right.rttMs) || left.hops - right.hops ||
    compareNumbers(left.rttAtLeastMs, right.rttAtLeastMs) || compareIds(left, right);
}

function compareHops(left: NodeDistance, right: NodeDistance): number {
  return left.hops - right.hops || compareTimes(left, right);
}

/** What is not known is farther than everything that is. */
function compareNumbers(left: number | undefined, right: number | undefined): number {
  if (left === right) return 0;
  return (left ?? Infinity) < (right ?? Infinity) ? -1 : 1;
}

function compareIds({ nodeId }: NodeDistance, other: NodeDistance): number {
  return nodeId < other.nodeId ? -1 : nodeId > other.nodeId ? 1 : 0;
}
