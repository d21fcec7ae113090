/** Who may introduce two nodes, or relay between them (`nrpc.md` 16). */
import { isSameAddress } from "../address.ts";
import { COORDINATORS_MAX } from "./limits.ts";
import type { PeerInfo, RouteInfo } from "../types.ts";

/** What is known of the ways there are. */
export interface CoordinatorSource {
  readonly peers: readonly PeerInfo[];
  readonly routes: readonly RouteInfo[];
  /** True when a peer announced that it relays and coordinates. */
  readonly isRelayCapable: (nodeId: bigint) => boolean;
}

/**
 * Peers to ask, the best first: the next hop to the target, peers that announced that they coordinate,
 * any other peer without a relay in between. Ties go to the faster one.
 */
export function chooseCoordinators(target: bigint, source: CoordinatorSource): bigint[] {
  const direct = source.peers.filter((peer) => peer.nodeId !== target && isDirect(peer));
  const relayed = source.peers.find((peer) => peer.nodeId === target && peer.isRelayed);
  const via = source.routes.find((route) => route.nodeId === target)?.via;
  const rank = (peer: PeerInfo) => {
    if (relayed !== undefined && isSameAddress(peer.address, relayed.address)) return 0;
    if (peer.nodeId === via) return 1;
    return source.isRelayCapable(peer.nodeId) ? 2 : 3;
  };
  return direct
    .map((peer) => ({ id: peer.nodeId, rank: rank(peer), rttMs: peer.rttMs ?? Infinity }))
    .sort((a, b) => a.rank - b.rank || compare(a.rttMs, b.rttMs))
    .slice(0, COORDINATORS_MAX)
    .map(({ id }) => id);
}

/** True when a peer is reached without a relay now. */
export function isDirect(peer: Pick<PeerInfo, "state" | "isRelayed">): boolean {
  return !peer.isRelayed && (peer.state === "connected" || peer.state === "suspected");
}

/** True when a peer has a session at all. */
export function isUp(peer: Pick<PeerInfo, "state">): boolean {
  return peer.state === "connected" || peer.state === "suspected";
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
