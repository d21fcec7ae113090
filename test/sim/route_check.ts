/**
 * Whether the routes of a quiet network are right: every node knows a way to every node its pingwaves
 * reach, and what is sent along it arrives.
 */

import { PINGWAVE_TTL } from "../../src/core/transport/limits.ts";
import type { SimNode } from "./sim_node.ts";

/** A pingwave is passed on once more than its time-to-live counts: at 1 it is forwarded as 0. */
const REACH_HOPS = PINGWAVE_TTL + 1;

/** Two nodes that know each other only through others. */
export interface DistantPair {
  readonly from: SimNode;
  readonly to: SimNode;
  readonly hops: number;
  /** Neighbour of `from` that its route leads through. */
  readonly via: SimNode;
}

/** What {@linkcode checkRoutes} found. */
export interface RouteReport {
  /** Pairs without a route that should have one. */
  readonly missing: readonly string[];
  readonly distant: readonly DistantPair[];
}

/** Looks at all pairs of running nodes. */
export function checkRoutes(nodes: readonly SimNode[]): RouteReport {
  const byId = new Map(nodes.map((node) => [node.identity.nodeId, node]));
  const neighbours = new Map(nodes.map((node) => [node, neighboursOf(node, byId)]));
  const missing: string[] = [];
  const distant: DistantPair[] = [];
  for (const from of nodes) {
    const routes = new Map(
      from.transport?.routes().map(({ nodeId, via }) => [nodeId, via]),
    );
    for (const [to, hops] of distances(from, neighbours)) {
      if (hops < 2 || hops > REACH_HOPS) continue;
      const via = byId.get(routes.get(to.identity.nodeId) ?? -1n);
      if (via === undefined) missing.push(`${from.number} to ${to.number}, ${hops} hops`);
      else if (from.transport?.peer(to.identity.nodeId) === undefined) {
        distant.push({ from, to, hops, via });
      }
    }
  }
  return { missing, distant };
}

/** Nodes with a session that no relay is part of: they hear each other's pingwaves. */
function neighboursOf(node: SimNode, byId: ReadonlyMap<bigint, SimNode>): SimNode[] {
  return (node.transport?.peers() ?? []).flatMap(({ nodeId, isRelayed, state }) => {
    const other = byId.get(nodeId);
    if (other === undefined || isRelayed || state !== "connected") return [];
    const back = other.transport?.peer(node.identity.nodeId);
    return back?.state === "connected" && !back.isRelayed ? [other] : [];
  });
}

/** Fewest hops from one node to every other. */
function distances(
  from: SimNode,
  neighbours: ReadonlyMap<SimNode, readonly SimNode[]>,
): Map<SimNode, number> {
  const found = new Map<SimNode, number>([[from, 0]]);
  // A Map hands out what is added while it is walked, which makes this a breadth-first search.
  for (const [node, hops] of found) {
    for (const next of neighbours.get(node) ?? []) if (!found.has(next)) found.set(next, hops + 1);
  }
  return found;
}
