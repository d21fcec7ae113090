/** Ways to other nodes, as the transport knows them now. */
import { idToHex, systemClock } from "../../base/mod.ts";
import type { MeshView } from "./mesh_view.ts";

/** A way to a node. */
export interface RouteEntry {
  readonly destination: bigint;
  /** The peer that packets are handed to; the destination itself when it is a neighbour. */
  readonly via: bigint;
  /** Relays and the destination: 1 for a neighbour. */
  readonly hops: number;
  readonly metric: number;
  /** True when only the failure or withdrawal of `via` removes it. */
  readonly isProtected: boolean;
  /** Since it was last confirmed. */
  readonly ageMs: number;
}

/** Every way, by destination. */
export function listRoutes(node: MeshView): RouteEntry[] {
  return routeSource(node).sort((a, b) =>
    a.destination === b.destination ? a.metric - b.metric : a.destination < b.destination ? -1 : 1
  );
}

/** Result of `node.routes`. */
export function describeRoutes(node: MeshView): object {
  return {
    routes: listRoutes(node).map(({ destination, via, hops, metric, isProtected, ageMs }) => ({
      destination: idToHex(destination),
      via: idToHex(via),
      hops,
      metric,
      protected: isProtected,
      age_ms: Math.round(ageMs),
    })),
  };
}

/** Neighbours with a session, and what pingwaves told of others. */
function routeSource(node: MeshView): RouteEntry[] {
  const { transport } = node.mesh;
  const now = systemClock.now();
  const neighbours = transport.peers().filter((peer) => peer.state === "connected").map((peer) => ({
    destination: peer.nodeId,
    via: peer.isRelayed ? relayOf(node, peer.nodeId) ?? peer.nodeId : peer.nodeId,
    hops: peer.isRelayed ? 2 : 1,
    metric: 1,
    isProtected: true,
    ageMs: peer.idleMs,
  }));
  const learned = transport.discoveredNodes().filter(({ nodeId, via }) => nodeId !== via);
  return [
    ...neighbours,
    ...learned.map(({ nodeId, via, hops, seenAt }) => ({
      destination: nodeId,
      via,
      hops: hops + 1,
      metric: hops + 2,
      isProtected: false,
      ageMs: now - seenAt,
    })),
  ];
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
