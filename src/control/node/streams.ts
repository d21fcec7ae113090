/** Streams as `node.streams` tells of them. */
import { idToHex } from "../../base/mod.ts";
import type { StreamInfo, StreamReceiveInfo, StreamSendInfo } from "../../core/transport/mod.ts";
import type { MeshView } from "./mesh_view.ts";

/** Rows of one answer; 1,000 × about 700 B fit the line of a reply many times. */
const ROWS_MAX = 1_000;

/**
 * Result of `node.streams`: the streams used last first, and the sums of all.
 *
 * @param peer Only this peer's.
 */
export function describeStreamList(node: MeshView, peer: bigint | undefined): object {
  const infos = node.mesh.transport.streams(peer).sort((a, b) => a.idleMs - b.idleMs);
  return {
    streams: infos.slice(0, ROWS_MAX).map(describeStream),
    total: sumStreams(infos),
    omitted: Math.max(0, infos.length - ROWS_MAX),
    relayed: peer === undefined ? describeRelayed(node) : [],
  };
}

/** Streams of others that pass through here, the busiest first; sealed, so that more can't be told. */
function describeRelayed(node: MeshView): object[] {
  const relayed = node.mesh.transport.relayedStreams().sort((a, b) => b.packets - a.packets);
  return relayed.slice(0, ROWS_MAX).map(({ streamId, packets, bytes, drops }) => ({
    stream: idToHex(streamId),
    packets,
    bytes,
    drops,
  }));
}

/** Packets of streams by what became of them. */
export interface StreamSums {
  readonly streams: number;
  readonly packets_sent: number;
  readonly resent: number;
  readonly unacked: number;
  readonly packets_received: number;
  readonly duplicates: number;
  readonly refused: number;
  readonly waiting: number;
}

/** Sums over streams. */
export function sumStreams(infos: readonly StreamInfo[]): StreamSums {
  const sum = (read: (info: StreamInfo) => number | undefined) =>
    infos.reduce((total, info) => total + (read(info) ?? 0), 0);
  return {
    streams: infos.length,
    packets_sent: sum(({ send }) => send?.packets),
    resent: sum(({ send }) => send?.resent),
    unacked: sum(({ send }) => send?.unacked),
    packets_received: sum(({ receive }) => receive?.packets),
    duplicates: sum(({ receive }) => receive?.duplicates),
    refused: sum(({ receive }) => receive?.refused),
    waiting: sum(({ receive }) => receive?.waitingPackets),
  };
}

function describeStream(info: StreamInfo): object {
  return {
    peer: idToHex(info.peer),
    stream: idToHex(info.streamId),
    direction: info.direction,
    idle_ms: Math.round(info.idleMs),
    sent: info.send === undefined ? null : describeSend(info.send),
    received: info.receive === undefined ? null : describeReceive(info.receive),
  };
}

function describeSend(send: StreamSendInfo): object {
  return {
    reliable: send.isReliable,
    closed: send.isClosed,
    packets: send.packets,
    events: send.events,
    bytes: send.bytes,
    resent: send.resent,
    unacked: send.unacked,
    credit_bytes: send.creditBytes ?? null,
    window_bytes: send.windowBytes,
    congestion_window: Math.floor(send.congestionWindow),
    rtt_ms: send.rttMs === undefined ? null : round(send.rttMs),
    rto_ms: round(send.rtoMs),
  };
}

function describeReceive(receive: StreamReceiveInfo): object {
  return {
    reliable: receive.isReliable,
    ordered: receive.isOrdered,
    closed: receive.isClosed,
    packets: receive.packets,
    events: receive.events,
    bytes: receive.bytes,
    duplicates: receive.duplicates,
    refused: receive.refused,
    waiting: receive.waitingPackets,
    waiting_bytes: receive.waitingBytes,
    gap: receive.hasGap,
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
