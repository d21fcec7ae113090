/**
 * Payloads of the control events of streams: grants, NACKs, resets and SACKs (`wire.md` 7.3 to 7.7).
 *
 * What this node sends is written in place; the rest deals in small objects. Decoders give `undefined`
 * for anything malformed. What to do about an event is decided in `control_plane.ts`.
 */

import type { MissingPackets } from "../streams/receive_state.ts";
import { writeNumber } from "./wire_numbers.ts";

/** Exact size of a grant. */
export const GRANT_BYTES = 24;
/** Exact size of a NACK. */
export const NACK_BYTES = 24;
/** Exact size of a reset. */
export const RESET_BYTES = 8;
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
  writeNumber(view, at + 8, totalConsumed);
  writeNumber(view, at + 16, ackSequence);
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
  writeNumber(view, at + 8, missing.nextExpected);
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

/**
 * Writes a reset in place.
 *
 * @param at Where the event starts in `view`.
 * @returns Where it ends.
 */
export function encodeResetInto(
  view: DataView,
  at: number,
  streamLow: number,
  streamHigh: number,
): number {
  view.setUint32(at, streamLow, true);
  view.setUint32(at + 4, streamHigh, true);
  return at + RESET_BYTES;
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

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function encodeWords(...words: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(words.length * 8);
  const view = viewOf(bytes);
  for (const [i, word] of words.entries()) view.setBigUint64(i * 8, word, true);
  return bytes;
}
