/**
 * Payloads of the transport's own events: grants, NACKs, resets and SACKs (`wire.md` 7.3 to 7.7), route
 * withdrawals (12), reflex, rendezvous and the keep-alive datagram (13).
 *
 * Grants and NACKs, which go out per packet, have encoders that write in place; the rest deals in small
 * objects. Decoders give `undefined` for anything malformed. What to do about a message is decided
 * elsewhere.
 */

import { ADDRESS_BYTES, decodeAddress, encodeAddress } from "./address.ts";
import { KEEP_ALIVE_BYTES, KEEP_ALIVE_MAGIC } from "./classify.ts";
import type { MissingPackets } from "./receive_state.ts";
import type { SocketAddress } from "./types.ts";

/** Exact size of a grant. */
export const GRANT_BYTES = 24;
/** Exact size of a NACK. */
export const NACK_BYTES = 24;
/** Exact size of a reset. */
export const RESET_BYTES = 8;
/** Exact size of a route withdrawal. */
export const ROUTE_WITHDRAWAL_BYTES = 16;
/** Most ranges of a SACK. */
export const SACK_RANGES_MAX = 16;

/** Packets that a NACK can name beside the first one. */
const NACK_BITS = 64n;
const SACK_HEADER_BYTES = 16;
const SACK_RANGE_BYTES = 16;
const U64_END = 1n << 64n;

/** Credit window (0x0B00). */
export interface Grant {
  readonly streamId: bigint;
  /** Bytes accepted since the stream began, 84 + payload for each packet. */
  readonly totalConsumed: bigint;
  /** Lowest sequence not yet received contiguously. */
  readonly ackSequence: bigint;
}

/** Report of missing packets (0x0B01). */
export interface Nack {
  readonly streamId: bigint;
  /** Missing by definition. */
  readonly nextExpected: bigint;
  /** Bit i set: `nextExpected + 1 + i` is missing too. */
  readonly missingBitmap: bigint;
}

/** Half-open range of sequences. */
export type SequenceRange = readonly [start: bigint, end: bigint];

/** Selective acknowledgement (0x0B03). */
export interface Sack {
  readonly streamId: bigint;
  readonly ackSequence: bigint;
  /** Highest first, disjoint, not adjacent, all above `ackSequence`. */
  readonly ranges: readonly SequenceRange[];
}

/** "The destination is unreachable through me" (0x0C01). */
export interface RouteWithdrawal {
  readonly destination: bigint;
  /** Per sender, from 0. */
  readonly sequence: bigint;
}

/** Hole-punch coordination (0x0D01). */
export type Rendezvous =
  | {
    readonly kind: "request";
    readonly target: bigint;
    readonly punchId: number;
    readonly selfReflex: SocketAddress;
  }
  | {
    readonly kind: "introduce";
    readonly peer: bigint;
    readonly peerReflex: SocketAddress;
    /** Milliseconds since the Unix epoch. */
    readonly fireAtMs: bigint;
  }
  | {
    readonly kind: "ack";
    readonly fromPeer: bigint;
    readonly toPeer: bigint;
    readonly punchId: number;
  }
  | {
    readonly kind: "reject";
    readonly target: bigint;
    readonly punchId: number;
    /** 1 rate-limited, 2 unknown reflex, 3 no session with target, 4 reflex mismatch, 255 other. */
    readonly reason: number;
  };

/** The datagram that opens a hole in a NAT. */
export interface KeepAlive {
  readonly senderNodeId: bigint;
  readonly punchId: number;
}

// --- Credit and acknowledgement ------------------------------------------------------------------

/**
 * Writes a grant in place; numbers must be integers below 2^53.
 *
 * @param at Where the event starts in `view`.
 * @returns Where it ends.
 */
export function encodeGrantInto(
  view: DataView,
  at: number,
  streamLow: number,
  streamHigh: number,
  totalConsumed: number,
  ackSequence: number,
): number {
  view.setUint32(at, streamLow, true);
  view.setUint32(at + 4, streamHigh, true);
  setNumber(view, at + 8, totalConsumed);
  setNumber(view, at + 16, ackSequence);
  return at + GRANT_BYTES;
}

/** The 24 bytes of a grant. */
export function encodeGrant(grant: Grant): Uint8Array<ArrayBuffer> {
  return encodeWords(grant.streamId, grant.totalConsumed, grant.ackSequence);
}

/** Reads a grant. */
export function decodeGrant(bytes: Uint8Array): Grant | undefined {
  if (bytes.length !== GRANT_BYTES) return undefined;
  const view = viewOf(bytes);
  return {
    streamId: view.getBigUint64(0, true),
    totalConsumed: view.getBigUint64(8, true),
    ackSequence: view.getBigUint64(16, true),
  };
}

/**
 * Writes a NACK in place.
 *
 * @param at Where the event starts in `view`.
 * @returns Where it ends.
 */
export function encodeNackInto(
  view: DataView,
  at: number,
  streamLow: number,
  streamHigh: number,
  missing: MissingPackets,
): number {
  view.setUint32(at, streamLow, true);
  view.setUint32(at + 4, streamHigh, true);
  setNumber(view, at + 8, missing.nextExpected);
  view.setUint32(at + 16, missing.bitmapLow, true);
  view.setUint32(at + 20, missing.bitmapHigh, true);
  return at + NACK_BYTES;
}

/** The 24 bytes of a NACK. */
export function encodeNack(nack: Nack): Uint8Array<ArrayBuffer> {
  return encodeWords(nack.streamId, nack.nextExpected, nack.missingBitmap);
}

/** Reads a NACK. */
export function decodeNack(bytes: Uint8Array): Nack | undefined {
  if (bytes.length !== NACK_BYTES) return undefined;
  const view = viewOf(bytes);
  return {
    streamId: view.getBigUint64(0, true),
    nextExpected: view.getBigUint64(8, true),
    missingBitmap: view.getBigUint64(16, true),
  };
}

/** The sequences a NACK names, ascending; those beyond 2^64 − 1 do not exist and are left out. */
export function listMissing(nack: Nack): bigint[] {
  const missing = [nack.nextExpected];
  for (let i = 0n; i < NACK_BITS; i++) {
    const sequence = nack.nextExpected + 1n + i;
    if (((nack.missingBitmap >> i) & 1n) === 1n && sequence < U64_END) missing.push(sequence);
  }
  return missing;
}

/**
 * The bitmap of a NACK that names these sequences beside `nextExpected`.
 *
 * @throws RangeError when one is below `nextExpected` or more than 64 above it.
 */
export function missingBitmap(nextExpected: bigint, missing: Iterable<bigint>): bigint {
  let bitmap = 0n;
  for (const sequence of missing) {
    const distance = sequence - nextExpected;
    if (distance < 0n || distance > NACK_BITS) {
      throw new RangeError(
        `Cannot name packet ${sequence} in a NACK: must be 0 to 64 above ${nextExpected}`,
      );
    }
    if (distance > 0n) bitmap |= 1n << (distance - 1n);
  }
  return bitmap;
}

/** The 8 bytes of a reset (0x0B02). */
export function encodeReset(streamId: bigint): Uint8Array<ArrayBuffer> {
  return encodeWords(streamId);
}

/** Reads the stream id of a reset. */
export function decodeReset(bytes: Uint8Array): bigint | undefined {
  return bytes.length === RESET_BYTES ? viewOf(bytes).getBigUint64(0, true) : undefined;
}

/**
 * The bytes of a SACK.
 *
 * @throws RangeError when the ranges are not as {@linkcode Sack} demands.
 *
 * @example
 * ```ts
 * import { decodeSack, encodeSack } from "./control_frames.ts";
 * const bytes = encodeSack({ streamId: 1n, ackSequence: 10n, ranges: [[30n, 40n], [12n, 20n]] });
 * console.assert(decodeSack(bytes)?.ranges.length === 2);
 * ```
 */
export function encodeSack(sack: Sack): Uint8Array<ArrayBuffer> {
  if (!areValidRanges(sack)) {
    throw new RangeError(
      `Cannot encode SACK: its ${sack.ranges.length} ranges must be 1 to 16, descending and apart`,
    );
  }
  return encodeWords(sack.streamId, sack.ackSequence, ...sack.ranges.flat());
}

/** Reads a SACK. */
export function decodeSack(bytes: Uint8Array): Sack | undefined {
  const count = (bytes.length - SACK_HEADER_BYTES) / SACK_RANGE_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > SACK_RANGES_MAX) return undefined;
  const view = viewOf(bytes);
  const ranges: SequenceRange[] = [];
  for (let at = SACK_HEADER_BYTES; at < bytes.length; at += SACK_RANGE_BYTES) {
    ranges.push([view.getBigUint64(at, true), view.getBigUint64(at + 8, true)]);
  }
  const sack: Sack = {
    streamId: view.getBigUint64(0, true),
    ackSequence: view.getBigUint64(8, true),
    ranges,
  };
  return areValidRanges(sack) ? sack : undefined;
}

function areValidRanges({ ranges, ackSequence }: Sack): boolean {
  if (ranges.length < 1 || ranges.length > SACK_RANGES_MAX) return false;
  let above: bigint | undefined;
  for (const [start, end] of ranges) {
    if (start <= ackSequence || start >= end) return false;
    // The range before starts behind a gap of at least one packet.
    if (above !== undefined && end >= above) return false;
    above = start;
  }
  return true;
}

// --- Routes and NAT ------------------------------------------------------------------------------

/** The 16 bytes of a route withdrawal. */
export function encodeRouteWithdrawal(withdrawal: RouteWithdrawal): Uint8Array<ArrayBuffer> {
  return encodeWords(withdrawal.destination, withdrawal.sequence);
}

/** Reads a route withdrawal. */
export function decodeRouteWithdrawal(bytes: Uint8Array): RouteWithdrawal | undefined {
  if (bytes.length !== ROUTE_WITHDRAWAL_BYTES) return undefined;
  const view = viewOf(bytes);
  return { destination: view.getBigUint64(0, true), sequence: view.getBigUint64(8, true) };
}

/**
 * The 19 bytes of a reflex response (0x0D00); the request is an empty event.
 *
 * @throws RangeError when the address is no IP address and port.
 */
export function encodeReflexResponse(address: SocketAddress): Uint8Array<ArrayBuffer> {
  return encodeAddress(address);
}

/** Reads a reflex response. */
export function decodeReflexResponse(bytes: Uint8Array): SocketAddress | undefined {
  return bytes.length === ADDRESS_BYTES ? decodeAddress(bytes) : undefined;
}

/** First byte and exact length of each rendezvous message (`wire.md` 13.2). */
const RENDEZVOUS_KINDS = {
  request: { code: 1, length: 32 },
  introduce: { code: 2, length: 36 },
  ack: { code: 3, length: 21 },
  reject: { code: 4, length: 14 },
} as const;

/**
 * The bytes of a rendezvous message; its integers are big-endian.
 *
 * @throws RangeError when an address is no IP address and port.
 */
export function encodeRendezvous(message: Rendezvous): Uint8Array<ArrayBuffer> {
  const { code, length } = RENDEZVOUS_KINDS[message.kind];
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  bytes[0] = code;
  switch (message.kind) {
    case "request":
      view.setBigUint64(1, message.target);
      view.setUint32(9, message.punchId);
      bytes.set(encodeAddress(message.selfReflex), 13);
      break;
    case "introduce":
      view.setBigUint64(1, message.peer);
      bytes.set(encodeAddress(message.peerReflex), 9);
      view.setBigUint64(28, message.fireAtMs);
      break;
    case "ack":
      view.setBigUint64(1, message.fromPeer);
      view.setBigUint64(9, message.toPeer);
      view.setUint32(17, message.punchId);
      break;
    case "reject":
      view.setBigUint64(1, message.target);
      view.setUint32(9, message.punchId);
      view.setUint8(13, message.reason);
      break;
  }
  return bytes;
}

/** Reads a rendezvous message. */
export function decodeRendezvous(bytes: Uint8Array): Rendezvous | undefined {
  const { request, introduce, ack, reject } = RENDEZVOUS_KINDS;
  const view = viewOf(bytes);
  if (isKind(bytes, request)) {
    const selfReflex = decodeAddress(bytes, 13);
    if (selfReflex === undefined) return undefined;
    const [target, punchId] = [view.getBigUint64(1), view.getUint32(9)];
    return { kind: "request", target, punchId, selfReflex };
  }
  if (isKind(bytes, introduce)) {
    const peerReflex = decodeAddress(bytes, 9);
    if (peerReflex === undefined) return undefined;
    const [peer, fireAtMs] = [view.getBigUint64(1), view.getBigUint64(28)];
    return { kind: "introduce", peer, peerReflex, fireAtMs };
  }
  if (isKind(bytes, ack)) {
    const [fromPeer, toPeer] = [view.getBigUint64(1), view.getBigUint64(9)];
    return { kind: "ack", fromPeer, toPeer, punchId: view.getUint32(17) };
  }
  if (isKind(bytes, reject)) {
    const [target, punchId] = [view.getBigUint64(1), view.getUint32(9)];
    return { kind: "reject", target, punchId, reason: view.getUint8(13) };
  }
  return undefined;
}

/** The 14 bytes of a keep-alive datagram; its integers are little-endian. */
export function encodeKeepAlive(keepAlive: KeepAlive): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(KEEP_ALIVE_BYTES);
  const view = viewOf(bytes);
  view.setUint16(0, KEEP_ALIVE_MAGIC, true);
  view.setBigUint64(2, keepAlive.senderNodeId, true);
  view.setUint32(10, keepAlive.punchId, true);
  return bytes;
}

/** Reads a keep-alive datagram. */
export function decodeKeepAlive(bytes: Uint8Array): KeepAlive | undefined {
  if (bytes.length !== KEEP_ALIVE_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint16(0, true) !== KEEP_ALIVE_MAGIC) return undefined;
  return { senderNodeId: view.getBigUint64(2, true), punchId: view.getUint32(10, true) };
}

// --- Helpers -------------------------------------------------------------------------------------

function isKind(
  bytes: Uint8Array,
  kind: { readonly code: number; readonly length: number },
): boolean {
  return bytes.length === kind.length && bytes[0] === kind.code;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function encodeWords(...words: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(words.length * 8);
  const view = viewOf(bytes);
  for (const [i, word] of words.entries()) view.setBigUint64(i * 8, word, true);
  return bytes;
}

/** Writes an integer below 2^53 as a u64. */
function setNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}
