/**
 * What can be seen of a stream from outside: traffic, credit, loss, order; for display and measurement.
 *
 * Read when somebody asks; nothing here is kept up to date for it.
 */
import { PACKET_OVERHEAD_BYTES } from "../limits.ts";
import type { Session } from "../session/session.ts";
import type { Stream } from "./stream.ts";

/** Which halves of a stream are in use. */
export type StreamDirection = "out" | "in" | "both" | "none";

/** The sending half of a stream. */
export interface StreamSendInfo {
  readonly isReliable: boolean;
  /** Packets sent for the first time. */
  readonly packets: number;
  readonly events: number;
  /** Payload bytes, event lengths included. */
  readonly bytes: number;
  /** Packets sent again. */
  readonly resent: number;
  /** Packets that wait for their acknowledgement. */
  readonly unacked: number;
  /** Bytes that may be sent before the next grant; `undefined` without a limit. */
  readonly creditBytes: number | undefined;
  readonly windowBytes: number;
  /** Packets that may wait for their acknowledgement. */
  readonly congestionWindow: number;
  /** Smoothed round-trip time; `undefined` before the first sample. */
  readonly rttMs: number | undefined;
  readonly rtoMs: number;
  readonly isClosed: boolean;
}

/** The receiving half of a stream. */
export interface StreamReceiveInfo {
  readonly isReliable: boolean;
  /** Events are handed on once and in order. */
  readonly isOrdered: boolean;
  /** Packets taken, each once. */
  readonly packets: number;
  readonly events: number;
  /** Payload bytes, event lengths included. */
  readonly bytes: number;
  /** Packets that came again. */
  readonly duplicates: number;
  /** Packets too far ahead of a gap, or behind too many gaps, to be taken. */
  readonly refused: number;
  /** Packets that wait for an earlier one, and their bytes. */
  readonly waitingPackets: number;
  readonly waitingBytes: number;
  /** True while a packet below the highest received one is missing. */
  readonly hasGap: boolean;
  readonly isClosed: boolean;
}

/** One stream of one peer. */
export interface StreamInfo {
  readonly peer: bigint;
  readonly streamId: bigint;
  readonly direction: StreamDirection;
  readonly send: StreamSendInfo | undefined;
  readonly receive: StreamReceiveInfo | undefined;
  /** Milliseconds since anything happened on it. */
  readonly idleMs: number;
}

/** Every stream of a session. */
export function describeStreams(session: Session, now: number): StreamInfo[] {
  const { nodeId } = session.peer;
  return Array.from(session.streams.values(), (stream) => describeStream(nodeId, stream, now));
}

function describeStream(peer: bigint, stream: Stream, now: number): StreamInfo {
  const send = describeSend(stream);
  const receive = describeReceive(stream);
  return {
    peer,
    streamId: stream.id,
    direction: directionOf(send !== undefined, receive !== undefined),
    send,
    receive,
    idleMs: now - stream.lastActiveAt,
  };
}

function describeSend(stream: Stream): StreamSendInfo | undefined {
  const { send: state } = stream;
  if (state === undefined) return undefined;
  const { creditBytes } = state;
  return {
    isReliable: state.isReliable,
    packets: state.nextSequence,
    events: state.eventsSent,
    bytes: state.payloadBytes,
    resent: state.resentTotal,
    unacked: state.unackedCount,
    creditBytes: Number.isFinite(creditBytes) ? creditBytes : undefined,
    windowBytes: state.windowBytes,
    congestionWindow: state.congestionWindow,
    rttMs: state.smoothedRttMs,
    rtoMs: state.rtoMs,
    isClosed: stream.isSendClosed,
  };
}

function describeReceive(stream: Stream): StreamReceiveInfo | undefined {
  const { receive: state, reorder } = stream;
  if (state === undefined) return undefined;
  return {
    isReliable: state.isReliable,
    isOrdered: reorder !== undefined,
    packets: state.packets,
    events: stream.eventsReceived,
    bytes: state.totalConsumed - state.packets * PACKET_OVERHEAD_BYTES,
    duplicates: state.duplicates,
    refused: state.refused + (reorder?.refusedTotal ?? 0),
    waitingPackets: reorder?.packets ?? 0,
    waitingBytes: reorder?.bytes ?? 0,
    hasGap: state.hasGap,
    isClosed: stream.isReceiveClosed,
  };
}

function directionOf(isSending: boolean, isReceiving: boolean): StreamDirection {
  if (isSending) return isReceiving ? "both" : "out";
  return isReceiving ? "in" : "none";
}
