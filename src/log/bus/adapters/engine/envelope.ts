/**
 * What an engine keeps of an event: `{"r":<raw>,"t":<nanoseconds>,"s":<shard>}` (`storage.md` 2.6).
 *
 * The raw bytes stand in it as they came, also when they are not JSON; then the whole is none either. That is what
 * the Rust core writes; its reader drops such events, this one does not: it takes the envelope off both ends, so that
 * any bytes come back as they were. An envelope that others wrote, with spaces or in another order, is read as JSON.
 */
import { readEnvelopeJson } from "./_envelope_json.ts";

/** An event out of its envelope. */
export interface Envelope {
  readonly raw: Uint8Array;
  readonly insertionTs: bigint;
  readonly shard: number;
}

const HEAD = new TextEncoder().encode('{"r":');
const TIME = new TextEncoder().encode(',"t":');
const SHARD = new TextEncoder().encode(',"s":');
const END = "}".charCodeAt(0);
const ZERO = "0".charCodeAt(0);

const U64_DIGITS_MAX = 20;
/** So many digits a double holds exactly. */
const EXACT_DIGITS = 15;
const U64_MAX = 2n ** 64n - 1n;
const U16_DIGITS_MAX = 5;
const U16_MAX = 0xffff;

/** Wraps an event. */
export function encodeEnvelope({ raw, insertionTs, shard }: Envelope): Uint8Array<ArrayBuffer> {
  const tail = `,"t":${insertionTs},"s":${shard}}`;
  const bytes = new Uint8Array(HEAD.length + raw.length + tail.length);
  bytes.set(HEAD);
  bytes.set(raw, HEAD.length);
  // All of the tail is ASCII; a loop is faster than an encoder for thirty characters.
  for (let i = 0, at = HEAD.length + raw.length; i < tail.length; i++) {
    bytes[at + i] = tail.charCodeAt(i);
  }
  return bytes;
}

/** Unwraps an event, whose bytes are a view of `bytes`; `undefined` when there is no envelope around them. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  return readEnds(bytes) ?? readEnvelopeJson(bytes);
}

/** Reads what {@linkcode encodeEnvelope} writes. */
function readEnds(bytes: Uint8Array): Envelope | undefined {
  if (!hasAt(bytes, 0, HEAD)) return undefined;
  let at = bytes.length - 1;
  if (bytes[at] !== END) return undefined;
  const shardDigits = digitsBefore(bytes, at, U16_DIGITS_MAX);
  at -= shardDigits + SHARD.length;
  if (shardDigits === 0 || at < HEAD.length || !hasAt(bytes, at, SHARD)) return undefined;
  const timeDigits = digitsBefore(bytes, at, U64_DIGITS_MAX);
  const rawEnd = at - timeDigits - TIME.length;
  if (timeDigits === 0 || rawEnd < HEAD.length || !hasAt(bytes, rawEnd, TIME)) return undefined;
  const insertionTs = decimalOf(bytes, rawEnd + TIME.length, timeDigits);
  const shard = Number(decimalOf(bytes, at + SHARD.length, shardDigits));
  if (insertionTs > U64_MAX || shard > U16_MAX) return undefined;
  return { raw: bytes.subarray(HEAD.length, rawEnd), insertionTs, shard };
}

function hasAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

/** How many digits end right before `end`; more than `most` count as none. */
function digitsBefore(bytes: Uint8Array, end: number, most: number): number {
  let count = 0;
  for (let at = end - 1; at >= 0; at--, count++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) break;
    if (count === most) return 0;
  }
  return count;
}

/** The number of so many digits; in halves, because a product of bigints per digit costs more than all the rest. */
function decimalOf(bytes: Uint8Array, at: number, digits: number): bigint {
  const headDigits = Math.max(0, digits - EXACT_DIGITS);
  const head = smallDecimal(bytes, at, headDigits);
  const tail = BigInt(smallDecimal(bytes, at + headDigits, digits - headDigits));
  return head === 0 ? tail : BigInt(head) * 10n ** BigInt(EXACT_DIGITS) + tail;
}

function smallDecimal(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0;
  for (let i = 0; i < digits; i++) value = value * 10 + (bytes[at + i] ?? 0) - ZERO;
  return value;
}
