/** Ways to other nodes, as the transport knows them now. */
import { idToHex } from "../../base/mod.ts";
import type { MeshView } from "./mesh_view.ts";

/** A way to a node. */
export interface RouteEntry {
  readonly destination: bigint;
  /** The peer that packets are handed to; the destination itself when it is a neighbour. */
  readonly via: bigint;
  /** Relays and the destination: 1 for a neighbour. */
  readonly hops: number;
  readonly metric: number;
  /** True when it is bound to the neighbour's identity, not only to its address. */
  readonly isProtected: boolean;
  /** True when the neighbour is silent and no other leads there. */
  readonly isSuspected: boolean;
  /** Since it was last confirmed. */
  readonly ageMs: number;
}

/** Every way, by destination. */
export function listRoutes(node: MeshView): RouteEntry[] {
  return node.mesh.transport.routes().map(({ nodeId, metric, ...route }) => ({
    ...route,
    destination: nodeId,
    metric,
    // 1 for a session; what a pingwave told has the hops to the neighbour's side and 2 more.
    hops: Math.max(1, metric - 1),
  })).sort((a, b) => a.destination < b.destination ? -1 : 1);
}

/** Result of `node.routes`. */
export function describeRoutes(node: MeshView): object {
  return {
    routes: listRoutes(node).map((route) => ({
      destination: idToHex(route.destination),
      via: idToHex(route.via),
      hops: route.hops,
      metric: route.metric,
      protected: route.isProtected,
      suspected: route.isSuspected,
      age_ms: Math.round(route.ageMs),
    })),
  };
}

/** The peer that stands between this node and a relayed one: whoever has the address that is used. */
export function relayOf(node: MeshView, nodeId: bigint): bigint | undefined {
  const peers = node.mesh.transport.peers();
  const target = peers.find((peer) => peer.nodeId === nodeId);
  if (target === undefined || !target.isRelayed) return undefined;
  const { host, port } = target.address;
  return peers.find(({ isRelayed, address }) =>
    !isRelayed && address.host === host && address.port === port
  )?.nodeId;
}
