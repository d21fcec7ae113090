/** Peers and sessions of a node as its status tells of them: plain JSON, without secrets. */
import { idToHex } from "../base/mod.ts";
import {
  type Dialer,
  formatAddress,
  type MeshTransport,
  type PeerConduct,
  type PeerInfo,
  type StreamInfo,
} from "../core/transport/mod.ts";

/** What the lists are made from. */
export interface PeerListSource {
  readonly transport: Pick<
    MeshTransport,
    "conduct" | "counters" | "failureCounts" | "peers" | "streams"
  >;
  readonly dialer: Pick<Dialer, "targets">;
}

/** One peer. */
export interface PeerRow {
  readonly node_id: string;
  readonly address: string;
  /** As the failure detector sees it; `connecting` and `unreachable` without a session. */
  readonly state: string;
  readonly form: string | null;
  /** `proven` when it proved who it is, `unproven` when that is only claimed. */
  readonly trust: string | null;
  /** Another node seems to use the same identity. */
  readonly has_double: boolean;
  /** Another node stands in between; the address is that one's. */
  readonly relayed: boolean | null;
  readonly initiator: boolean;
  readonly rtt_ms: number | null;
  readonly idle_ms: number | null;
  readonly packets_sent: number;
  readonly packets_received: number;
  readonly bytes_sent: number;
  readonly bytes_received: number;
  readonly streams: number;
  /** Share of the packets on its present streams that were sent again; `null` without any. */
  readonly loss: number | null;
  /** What was observed of it; `null` without a session. */
  readonly conduct: ConductRow | null;
}

/** What was observed of a peer. */
export interface ConductRow {
  /** 100 when nothing speaks against it; below 50 others are preferred as next hop. */
  readonly score: number;
  readonly heartbeats_in_time: number;
  readonly heartbeats_late: number;
  readonly floods: number;
  readonly spent_ttls: number;
  readonly loops: number;
  readonly malformed: number;
}

/** Peers with a session and those being dialled, by id. */
export function describePeers({ transport, dialer }: PeerListSource): PeerRow[] {
  const sums = sumByPeer(transport.streams());
  const rows = transport.peers().map((peer) =>
    describePeer(peer, sums.get(peer.nodeId), transport.conduct(peer.nodeId))
  );
  const known = new Set(rows.map((row) => row.node_id));
  for (const { target, failures } of dialer.targets()) {
    const nodeId = idToHex(target.nodeId);
    const [address] = target.addresses;
    if (known.has(nodeId) || address === undefined) continue;
    rows.push({
      node_id: nodeId,
      address: formatAddress(address),
      state: failures > 0 ? "unreachable" : "connecting",
      form: null,
      trust: null,
      has_double: false,
      relayed: null,
      initiator: true,
      rtt_ms: null,
      idle_ms: null,
      packets_sent: 0,
      packets_received: 0,
      bytes_sent: 0,
      bytes_received: 0,
      streams: 0,
      loss: null,
      conduct: null,
    });
  }
  return rows.sort((a, b) => a.node_id < b.node_id ? -1 : 1);
}

/** Sessions by what they are, and peers by how alive they are. */
export function describeSessions(
  { transport }: {
    readonly transport: Pick<MeshTransport, "counters" | "failureCounts" | "peers">;
  },
) {
  const peers = transport.peers();
  const { counters } = transport;
  const { healthy, suspected, failed } = transport.failureCounts();
  const isUp = (peer: PeerInfo) => peer.state === "connected" || peer.state === "suspected";
  const count = (matches: (peer: PeerInfo) => boolean) => peers.filter(matches).length;
  return {
    sealed: count((peer) => isUp(peer) && peer.isSealed),
    compat: count((peer) => isUp(peer) && !peer.isSealed),
    relayed: count((peer) => isUp(peer) && peer.isRelayed),
    healthy,
    suspected,
    failed,
    failures_total: counters.peers_failed_total,
    recoveries_total: counters.peers_recovered_total,
  };
}

interface PacketSums {
  packets: number;
  resent: number;
}

function sumByPeer(streams: readonly StreamInfo[]): ReadonlyMap<bigint, PacketSums> {
  const sums = new Map<bigint, PacketSums>();
  for (const { peer, send } of streams) {
    const sum = sums.get(peer) ?? { packets: 0, resent: 0 };
    sum.packets += send?.packets ?? 0;
    sum.resent += send?.resent ?? 0;
    sums.set(peer, sum);
  }
  return sums;
}

function describePeer(
  peer: PeerInfo,
  sums: PacketSums | undefined,
  conduct: PeerConduct | undefined,
): PeerRow {
  const { packets, resent } = sums ?? { packets: 0, resent: 0 };
  return {
    node_id: idToHex(peer.nodeId),
    address: formatAddress(peer.address),
    state: peer.state,
    form: peer.form,
    trust: peer.isSealed ? "proven" : "unproven",
    has_double: peer.hasDouble,
    relayed: peer.isRelayed,
    initiator: peer.initiator,
    rtt_ms: peer.rttMs === undefined ? null : Math.round(peer.rttMs * 1000) / 1000,
    idle_ms: Math.round(peer.idleMs),
    packets_sent: peer.packetsSent,
    packets_received: peer.packetsReceived,
    bytes_sent: peer.bytesSent,
    bytes_received: peer.bytesReceived,
    streams: peer.streams,
    loss: packets === 0 ? null : Math.round(resent / (packets + resent) * 1e4) / 1e4,
    conduct: conduct === undefined ? null : describeConduct(conduct),
  };
}

function describeConduct(conduct: PeerConduct): ConductRow {
  return {
    score: Math.round(conduct.score),
    heartbeats_in_time: conduct.heartbeatsInTime,
    heartbeats_late: conduct.heartbeatsLate,
    floods: conduct.floods,
    spent_ttls: conduct.spentTtls,
    loops: conduct.loops,
    malformed: conduct.malformed,
  };
}
