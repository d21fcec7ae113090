/**
 * The 24 bytes in front of every event of a folded log (`storage.md` 9):
 *
 * dispatch u8 · flags u8 · two zero bytes · origin u64 · app seq u64 · checksum u32, little-endian.
 *
 * The checksum is the low half of XXH3 over all of the event, with the checksum and the two bytes as
 * zeros; in events of old writers over the tail alone. A reader takes either.
 */
import { xxh3Low32, Xxh3Memory } from "../../core/crypto/mod.ts";
import { CHECKED_IN_PLACE_BYTES_MAX, RUN_BYTES_MIN } from "./limits.ts";

/** Bytes in front of the tail. */
export const EVENT_META_BYTES = 24;
/** The event belongs to a causal chain. */
export const FLAG_CAUSAL = 0x01;
/** The tail ends in a continuity proof. */
export const FLAG_CONTINUITY_PROOF = 0x02;
/** An event that no model claims. */
export const DISPATCH_RAW = 0x00;
/** First dispatch byte that a user's own events may have; the ones below are `net`'s. */
export const DISPATCH_USER_MIN = 0x80;

/** What stands in front of an event. */
export interface EventMeta {
  /** Which change it is, 0..255. */
  readonly dispatch: number;
  /** {@linkcode FLAG_CAUSAL}, {@linkcode FLAG_CONTINUITY_PROOF}. */
  readonly flags: number;
  readonly origin: bigint;
  /** The writer's own count, or a time. */
  readonly appSeq: bigint;
}

/** An event that was read. */
export interface DecodedEvent extends EventMeta {
  /** A view of the payload. */
  readonly tail: Uint8Array;
  /** Which rule its checksum follows: 2 is what writers use, 1 what old ones did. */
  readonly checksumVersion: 1 | 2;
}

/** Outcome of {@linkcode decodeEvent}. */
export type EventDecodeResult =
  | { readonly ok: true; readonly event: DecodedEvent }
  | { readonly ok: false; readonly reason: string };

/** The event as a log keeps it. */
export function encodeEvent(meta: EventMeta, tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const { dispatch, flags, origin, appSeq } = meta;
  const payload = startEvent(dispatch, flags, tail);
  putU64(payload, 4, origin);
  putU64(payload, 12, appSeq);
  return finishEvent(payload);
}

/** An event without origin, count and checksum. */
export function startEvent(
  dispatch: number,
  flags: number,
  tail: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(EVENT_META_BYTES + tail.length);
  payload[0] = dispatch;
  payload[1] = flags;
  payload.set(tail, EVENT_META_BYTES);
  return payload;
}

/** Puts the checksum into an event that has everything else. */
export function finishEvent(payload: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  putU32(payload, 20, xxh3Low32(payload));
  return payload;
}

/** Four bytes; a view of the bytes would cost several times as much as writing them. */
export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function putU64(bytes: Uint8Array, at: number, value: bigint): void {
  putU32(bytes, at, Number(value & 0xffff_ffffn));
  putU32(bytes, at + 4, Number((value >> 32n) & 0xffff_ffffn));
}

/** Reads an event from outside; never throws. */
export function decodeEvent(payload: Uint8Array): EventDecodeResult {
  if (payload.length < EVENT_META_BYTES) return { ok: false, reason: shortReason(payload) };
  const version = checkCopy(payload, u32At(payload, 20));
  if (version === "wrong") return { ok: false, reason: checksumReason(payload) };
  const event = {
    dispatch: payload[0] ?? 0,
    flags: payload[1] ?? 0,
    origin: u64At(payload, 4),
    appSeq: u64At(payload, 12),
    tail: payload.subarray(EVENT_META_BYTES),
    checksumVersion: version,
  };
  return { ok: true, event };
}

/** Checks payloads one after the other, in one memory. */
export class EventChecker {
  readonly #memory = new Xxh3Memory(CHECKED_IN_PLACE_BYTES_MAX);

  /** By which rule the payload's checksum is right; `short` when there is no room for one. */
  check(payload: Uint8Array): 2 | 1 | "wrong" | "short" {
    const { length } = payload;
    if (length < EVENT_META_BYTES) return "short";
    const stored = u32At(payload, 20);
    // The log's bytes must not be written to, so that the zeros are set in a copy.
    const { bytes } = this.#memory;
    if (length > bytes.length) return checkCopy(payload, stored);
    bytes.set(payload);
    zeroChecksum(bytes);
    if (this.#memory.low32(0, length) === stored) return 2;
    const tail = this.#memory.low32(EVENT_META_BYTES, length - EVENT_META_BYTES);
    return tail === stored ? 1 : "wrong";
  }
}

/**
 * Checks the payloads of one piece of a log in one memory, which takes a copy of them all at once. One serves all
 * folds: a piece is checked without giving way.
 */
export class RunChecker {
  #memory: Xxh3Memory | undefined;
  #run: Uint8Array = new Uint8Array(0);

  /** Takes the bytes that are asked about from here on. */
  load(bytes: Uint8Array): void {
    let memory = this.#memory;
    if (memory === undefined || memory.bytes.length < bytes.length) {
      memory = this.#memory = new Xxh3Memory(Math.max(bytes.length, RUN_BYTES_MIN));
    }
    memory.bytes.set(bytes);
    this.#run = bytes;
  }

  /** As {@linkcode EventChecker.check}; once for each payload, because its checksum is zeros then. */
  check(start: number, end: number): 2 | 1 | "wrong" | "short" {
    const length = end - start;
    const memory = this.#memory;
    if (length < EVENT_META_BYTES || memory === undefined) return "short";
    const stored = u32At(this.#run, start + 20);
    zeroChecksum(memory.bytes, start);
    if (memory.low32(start, length) === stored) return 2;
    const tail = memory.low32(start + EVENT_META_BYTES, length - EVENT_META_BYTES);
    return tail === stored ? 1 : "wrong";
  }
}

function checkCopy(payload: Uint8Array, stored: number): 2 | 1 | "wrong" {
  const copy = payload.slice();
  zeroChecksum(copy);
  if (xxh3Low32(copy) === stored) return 2;
  return xxh3Low32(copy.subarray(EVENT_META_BYTES)) === stored ? 1 : "wrong";
}

/** The checksum, and the two bytes without a meaning. */
function zeroChecksum(bytes: Uint8Array, start = 0): void {
  bytes[start + 2] = bytes[start + 3] = 0;
  for (let at = start + 20; at < start + EVENT_META_BYTES; at++) bytes[at] = 0;
}

/** Why a payload without room for its meta is not an event. */
export function shortReason(payload: Uint8Array): string {
  return `${payload.length} bytes, must be at least ${EVENT_META_BYTES}`;
}

/** Why a payload with a wrong checksum is not an event. */
export function checksumReason(payload: Uint8Array): string {
  return `checksum ${u32At(payload, 20).toString(16).padStart(8, "0")} is not that of its bytes`;
}

/** Four bytes as a number; 0 for those that are not there. */
export function u32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}

/** Eight bytes as a number that is exact. */
export function u64At(bytes: Uint8Array, at: number): bigint {
  const [low, high] = [u32At(bytes, at), u32At(bytes, at + 4)];
  // Making one bigint of a number is several times as fast as shifting two.
  return high < 2 ** 21 ? BigInt(high * 2 ** 32 + low) : (BigInt(high) << 32n) | BigInt(low);
}
