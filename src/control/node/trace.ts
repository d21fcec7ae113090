/** Probes a peer some times and sums up: the way there, round-trip times, loss. */
import { idToHex, NetError, pause } from "../../base/mod.ts";
import { formatAddress, type PeerInfo } from "../../core/transport/mod.ts";
import { type MeshView, reachFor, type ReachingView } from "./mesh_view.ts";
import type { CallContext } from "../method.ts";
import { resolvePeer } from "./peer_ref.ts";
import { listRoutes, relayOf } from "./routes.ts";

/** Patience for one probe and pause between two. */
const PROBE_TIMEOUT_MS = 1_000;
const PROBE_PAUSE_MS = 200;

/** A node on the way. */
interface Hop {
  /** `null` where the transport does not know who it is. */
  readonly node_id: string | null;
  /** `null` where a relay hides it. */
  readonly address: string | null;
  /** Round trip to there as last measured; `null` without a measurement. */
  readonly rtt_ms: number | null;
}

/**
 * Traces a node; each probe is told as progress. Where there is no session with it, one is made; of a node that
 * only a route leads to what is known of the way is told.
 *
 * @throws NetError `usage` for what is no id, `not_found` for a node that nothing is known of.
 */
export async function tracePeer(
  node: ReachingView,
  peerText: string,
  count: number,
  context: CallContext,
): Promise<object> {
  const nodeId = resolvePeer(node, peerText, "Cannot trace");
  const { transport } = node.mesh;
  if (transport.peer(nodeId) === undefined) await reachFor(node, nodeId, context.signal);
  const peer = transport.peer(nodeId);
  if (peer === undefined) return traceRoute(node, nodeId);
  const times: number[] = [];
  for (let probe = 1; probe <= count; probe++) {
    context.signal.throwIfAborted();
    const rttMs = await transport.ping(nodeId, PROBE_TIMEOUT_MS);
    if (rttMs !== undefined) times.push(rttMs);
    context.progress({ probe, rtt_ms: rttMs === undefined ? null : round(rttMs) });
    if (probe < count) await pause(PROBE_PAUSE_MS, context.signal);
  }
  times.sort((a, b) => a - b);
  return {
    node_id: idToHex(nodeId),
    session: true,
    state: peer.state,
    trust: peer.isSealed ? "proven" : "unproven",
    relayed: peer.isRelayed,
    relay: relayIdOf(node, peer),
    hops: hopsOf(node, peer, times[times.length >> 1]),
    sent: count,
    received: times.length,
    loss: round(1 - times.length / count),
    rtt_ms: summarize(times),
  };
}

/** The peer in between; `null` without one, or where it is not known which one it is. */
function relayIdOf(node: MeshView, peer: PeerInfo): string | null {
  const relay = peer.isRelayed ? relayOf(node, peer.nodeId) : undefined;
  return relay === undefined ? null : idToHex(relay);
}

/** Hops to a peer, as far as they are known. */
function hopsOf(node: MeshView, peer: PeerInfo, rttMs: number | undefined): Hop[] {
  const last = { node_id: idToHex(peer.nodeId), rtt_ms: rttMs === undefined ? null : round(rttMs) };
  const address = formatAddress(peer.address);
  if (!peer.isRelayed) return [{ ...last, address }];
  const relayId = relayOf(node, peer.nodeId);
  const relay = relayId === undefined ? undefined : node.mesh.transport.peer(relayId);
  // A relayed peer's own address is unknown; what is known is the relay's.
  return [
    {
      node_id: relayId === undefined ? null : idToHex(relayId),
      address,
      rtt_ms: relay?.rttMs === undefined ? null : round(relay.rttMs),
    },
    { ...last, address: null },
  ];
}

/** A node without a session: the best way that is known, and how long it is. */
function traceRoute(node: MeshView, nodeId: bigint): object {
  const id = idToHex(nodeId);
  const isDialled = node.mesh.dialer.targets().some(({ target }) => target.nodeId === nodeId);
  const route = listRoutes(node).find(({ destination }) => destination === nodeId);
  if (route === undefined) {
    const reason = isDialled
      ? "there is no session with it yet, and no route to it"
      : "it is no peer of this node, and there is no route to it";
    throw new NetError("not_found", `Cannot trace ${id}: ${reason}`, {
      next: isDialled
        ? "see in net node peers how dialling it goes"
        : "see net node peers and net node routes for the nodes that are known",
    });
  }
  const via = node.mesh.transport.peer(route.via);
  return {
    node_id: id,
    session: false,
    state: null,
    trust: null,
    relayed: route.hops > 1,
    relay: route.hops > 1 ? idToHex(route.via) : null,
    hops: [
      {
        node_id: idToHex(route.via),
        address: via === undefined ? null : formatAddress(via.address),
        rtt_ms: via?.rttMs === undefined ? null : round(via.rttMs),
      },
      { node_id: id, address: null, rtt_ms: null },
    ],
    hop_count: route.hops,
    metric: route.metric,
    age_ms: Math.round(route.ageMs),
    sent: 0,
    received: 0,
    loss: null,
    rtt_ms: null,
  };
}

function summarize(sorted: readonly number[]): object | null {
  if (sorted.length === 0) return null;
  const sum = sorted.reduce((a, b) => a + b, 0);
  return {
    min: round(sorted[0] ?? 0),
    avg: round(sum / sorted.length),
    p50: round(sorted[sorted.length >> 1] ?? 0),
    max: round(sorted[sorted.length - 1] ?? 0),
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
