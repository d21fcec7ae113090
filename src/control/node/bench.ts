/** Measures with a peer and says so as `bench.transport`. */
import { idToHex, NetError } from "../../base/mod.ts";
import { formatAddress } from "../../core/transport/mod.ts";
import type { Node } from "../../node.ts";
import type { BenchReport, TrafficReport } from "../../services/mod.ts";
import type { CallContext } from "../method.ts";
import { resolvePeer } from "./peer_ref.ts";

/** Parameters of `bench.transport`. */
export interface BenchParams {
  /** Left out, the connected peer with the lowest id. */
  readonly peer?: string;
  readonly seconds?: number;
  readonly size?: number;
  readonly streams?: number;
}

/**
 * Measures with a peer; how it goes is told as progress.
 *
 * @throws NetError as `BenchService.measure` does, and `not_found` without any peer.
 */
export async function benchTransport(
  node: Node,
  params: BenchParams,
  context: CallContext,
): Promise<object> {
  const { peer: peerText, ...options } = params;
  const peerId = peerText === undefined
    ? firstPeer(node)
    : resolvePeer(node, peerText, "Cannot measure with");
  const report = await node.bench.measure(peerId, {
    ...options,
    signal: context.signal,
    onProgress: ({ what, size, events, seconds, step, steps }) => {
      context.progress({ peer: idToHex(peerId), what, size, events, seconds, step, steps });
    },
  });
  const peer = node.mesh.transport.peer(peerId);
  return {
    node_id: idToHex(peerId),
    address: peer === undefined ? null : formatAddress(peer.address),
    relayed: peer?.isRelayed ?? null,
    trust: peer === undefined ? null : peer.isSealed ? "proven" : "unproven",
    ...describeReport(report),
  };
}

function firstPeer(node: Node): bigint {
  const [first] = [...node.mesh.transport.connectedPeers()].sort((a, b) => a < b ? -1 : 1);
  if (first !== undefined) return first;
  throw new NetError("not_found", "Cannot measure: this node has no connected peer", {
    next: "join another node with net node start --join, or see net node peers",
  });
}

function describeReport({ secondsPerStep, streams, roundTrip, traffic }: BenchReport): object {
  const { size, sent, received, loss, times } = roundTrip;
  return {
    seconds_per_step: secondsPerStep,
    streams,
    round_trip: {
      size,
      sent,
      received,
      loss: round(loss),
      min_ms: times === undefined ? null : round(times.min),
      p50_ms: times === undefined ? null : round(times.p50),
      p99_ms: times === undefined ? null : round(times.p99),
    },
    events: traffic.map(describeTraffic),
  };
}

function describeTraffic(row: TrafficReport): object {
  const { eventsPerSecond, bytesPerSecond } = row;
  return {
    way: row.way,
    size: row.size,
    events: row.events,
    seconds: round(row.seconds),
    events_per_second: eventsPerSecond === undefined ? null : Math.round(eventsPerSecond),
    mb_per_second: bytesPerSecond === undefined ? null : round(bytesPerSecond / 1e6),
    packets: row.packets,
    resent: row.resent,
    lost: row.lost,
    duplicates: row.duplicates,
    complete: row.isComplete,
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
