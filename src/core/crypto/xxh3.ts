/**
 * XXH3-64 with seed 0 and the default secret, for inputs of any length (`wire.md` 1: channel hashes and
 * stream ids made from names).
 *
 * It hashes names of at most a few hundred bytes, so 64-bit arithmetic is plain `bigint`; callers keep
 * the result, nothing here is meant to run per packet. Not a cryptographic hash.
 */
import { utf8 } from "../../base/mod.ts";
import {
  avalanche,
  avalancheXxh64,
  longLanes,
  MASK_64,
  mergeLanes,
  multiplyFold,
  PRIME64_1,
  SECRET,
  secret64,
  SHORT_MULTIPLIER,
  swapBytes,
} from "./_xxh3_parts.ts";

/**
 * XXH3-64, seed 0, of bytes or of the UTF-8 form of a text.
 *
 * @example
 * ```ts
 * import { xxh3 } from "./xxh3.ts";
 * console.assert(xxh3("lab/x") === 0x6d5b83d90de02ee8n);
 * ```
 */
export function xxh3(input: Uint8Array | string): bigint {
  const bytes = typeof input === "string" ? utf8(input) : input;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length;
  if (length === 0) return avalancheXxh64(secret64(56) ^ secret64(64));
  if (length <= 3) return hash1to3(bytes);
  if (length <= 8) return hash4to8(view);
  if (length <= 16) return hash9to16(view);
  if (length <= 128) return hash17to128(view);
  if (length <= 240) return hash129to240(view);
  return hashLong(view);
}

function hash1to3(bytes: Uint8Array): bigint {
  const length = bytes.length;
  const first = bytes[0] ?? 0;
  const middle = bytes[length >> 1] ?? 0;
  const last = bytes[length - 1] ?? 0;
  const combined = ((first << 16) | (middle << 24) | last | (length << 8)) >>> 0;
  const flip = (SECRET.getUint32(0, true) ^ SECRET.getUint32(4, true)) >>> 0;
  return avalancheXxh64(BigInt((combined ^ flip) >>> 0));
}

function hash4to8(view: DataView): bigint {
  const length = view.byteLength;
  const head = BigInt(view.getUint32(0, true));
  const tail = BigInt(view.getUint32(length - 4, true));
  const keyed = (tail + (head << 32n)) ^ secret64(8) ^ secret64(16);
  let hash = keyed ^ rotateLeft(keyed, 49n) ^ rotateLeft(keyed, 24n);
  hash = (hash * SHORT_MULTIPLIER) & MASK_64;
  hash ^= (hash >> 35n) + BigInt(length);
  hash = (hash * SHORT_MULTIPLIER) & MASK_64;
  return hash ^ (hash >> 28n);
}

function hash9to16(view: DataView): bigint {
  const length = view.byteLength;
  const low = view.getBigUint64(0, true) ^ secret64(24) ^ secret64(32);
  const high = view.getBigUint64(length - 8, true) ^ secret64(40) ^ secret64(48);
  return avalanche(BigInt(length) + swapBytes(low) + high + multiplyFold(low, high));
}

function hash17to128(view: DataView): bigint {
  const length = view.byteLength;
  let sum = BigInt(length) * PRIME64_1;
  // Pairs of 16 bytes from both ends towards the middle: one pair per started 32 bytes.
  for (let pair = (length - 1) >> 5; pair >= 0; pair--) {
    sum += mix16(view, pair * 16, pair * 32);
    sum += mix16(view, length - 16 * (pair + 1), pair * 32 + 16);
  }
  return avalanche(sum);
}

function hash129to240(view: DataView): bigint {
  const length = view.byteLength;
  let sum = BigInt(length) * PRIME64_1;
  for (let i = 0; i < 8; i++) sum += mix16(view, i * 16, i * 16);
  sum = avalanche(sum);
  for (let i = 8; i < length >> 4; i++) sum += mix16(view, i * 16, (i - 8) * 16 + 3);
  sum += mix16(view, length - 16, 136 - 17);
  return avalanche(sum);
}

function hashLong(view: DataView): bigint {
  return mergeLanes(longLanes(view, SECRET), SECRET, 11, BigInt(view.byteLength) * PRIME64_1);
}

function mix16(view: DataView, offset: number, secret: number): bigint {
  return multiplyFold(
    view.getBigUint64(offset, true) ^ secret64(secret),
    view.getBigUint64(offset + 8, true) ^ secret64(secret + 8),
  );
}

function rotateLeft(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK_64;
}
