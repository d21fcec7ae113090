/**
 * The envelopes of a whole batch (`storage.md` 2.6), written one behind the other into one buffer: for an engine in
 * the process, where an object, an array and a text per event would cost more than all the rest.
 */
import { eventCountOf, PackedBatch } from "../packed_batch.ts";
import type { SegmentPart } from "../segment_ring.ts";
import { startOf } from "../segment_ring.ts";
import type { Batch } from "../types.ts";
import { encodeEnvelope } from "./engine/envelope.ts";

const HEAD = new TextEncoder().encode('{"r":');
const TIME = new TextEncoder().encode(',"t":');
const ZERO = 0x30;
/** A time has at most twenty digits. */
const TIME_DIGITS_MAX = 20;
const HALF = 2 ** 32;
const EXACT_HIGH_MAX = 2 ** 21;
const EIGHT_DIGITS = 1e8;

/** One record per event; views of one buffer that is the caller's. */
export function recordsOf(batch: Batch): Uint8Array[] {
  const { shard } = batch;
  if (!(batch instanceof PackedBatch)) {
    return batch.events.map(({ raw, insertionTs }) => encodeEnvelope({ raw, insertionTs, shard }));
  }
  const tail = new TextEncoder().encode(`,"s":${shard}}`);
  const around = HEAD.length + TIME.length + TIME_DIGITS_MAX + tail.length;
  const bytes = new Uint8Array(bytesOf(batch.parts) + eventCountOf(batch) * around);
  const records: Uint8Array[] = [];
  let at = 0;
  for (const { segment, from, to } of batch.parts) {
    let start = startOf(segment, from);
    for (let index = from; index < to; index++) {
      const begin = at;
      const end = segment.ends[index] ?? start;
      at = put(bytes, at, HEAD);
      at = copy(bytes, at, segment.bytes, start, end);
      at = put(bytes, at, TIME);
      at = putTime(bytes, at, segment.tsHigh[index] ?? 0, segment.tsLow[index] ?? 0);
      at = put(bytes, at, tail);
      records.push(bytes.subarray(begin, at));
      start = end;
    }
  }
  return records;
}

function bytesOf(parts: readonly SegmentPart[]): number {
  let sum = 0;
  for (const { segment, from, to } of parts) {
    sum += (segment.ends[to - 1] ?? 0) - startOf(segment, from);
  }
  return sum;
}

function put(bytes: Uint8Array, at: number, mark: Uint8Array): number {
  for (let i = 0; i < mark.length; i++) bytes[at + i] = mark[i] ?? 0;
  return at + mark.length;
}

/** A loop is faster than a call for what most events are. */
function copy(
  bytes: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  if (end - start > 96) bytes.set(source.subarray(start, end), at);
  else for (let i = start; i < end; i++) bytes[at + i - start] = source[i] ?? 0;
  return at + end - start;
}

function putTime(bytes: Uint8Array, at: number, high: number, low: number): number {
  // A double holds it for the first 104 days of a shard.
  if (high >= EXACT_HIGH_MAX) return putText(bytes, at, high, low);
  const ns = high * HALF + low;
  const head = Math.floor(ns / EIGHT_DIGITS);
  if (head === 0) return putDigits(bytes, at, ns, digitsOf(ns));
  const next = putDigits(bytes, at, head, digitsOf(head));
  return putDigits(bytes, next, ns - head * EIGHT_DIGITS, 8);
}

function putText(bytes: Uint8Array, at: number, high: number, low: number): number {
  const text = String(BigInt(high) << 32n | BigInt(low));
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

function putDigits(bytes: Uint8Array, at: number, value: number, digits: number): number {
  let left = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const rest = Math.floor(left / 10);
    bytes[i] = ZERO + left - rest * 10;
    left = rest;
  }
  return at + digits;
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits += 1;
  return digits;
}
