/**
 * XXH3-128 with a seed and the default secret, for inputs of any length (`capabilities.md` 10: the places
 * of an entry in a bloom filter).
 *
 * Plain `bigint` as in `xxh3.ts`: about a microsecond for a tag. Not a cryptographic hash.
 */
import { utf8 } from "../../base/mod.ts";
import {
  avalanche,
  avalancheXxh64,
  longLanes,
  MASK_32,
  MASK_64,
  mergeLanes,
  multiplyFold,
  PRIME32_2,
  PRIME64_1,
  PRIME64_2,
  PRIME64_4,
  SECRET,
  secret64,
  SECRET_BYTES,
  SHORT_MULTIPLIER,
  swapBytes,
} from "./_xxh3_parts.ts";

/** Both halves of a hash of 128 bits. */
export interface Hash128 {
  readonly low: bigint;
  readonly high: bigint;
}

/** A seeded input; secrets are keyed by the seed on the fly. */
interface Input {
  readonly view: DataView;
  readonly seed: bigint;
}

/** Sums of the middle lengths. */
interface Sums {
  low: bigint;
  high: bigint;
}

/**
 * XXH3-128 of bytes or of the UTF-8 form of a text.
 *
 * @param seed 64 bits, 0 when left out.
 *
 * @example
 * ```ts
 * import { xxh3Wide } from "./xxh3_128.ts";
 * console.assert(xxh3Wide("").high === 0x99aa06d3014798d8n);
 * ```
 */
export function xxh3Wide(input: Uint8Array | string, seed = 0n): Hash128 {
  const bytes = typeof input === "string" ? utf8(input) : input;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { length } = bytes;
  const seeded = { view, seed };
  if (length === 0) return hashEmpty(seed);
  if (length <= 3) return hash1to3(seeded);
  if (length <= 8) return hash4to8(seeded);
  if (length <= 16) return hash9to16(seeded);
  if (length <= 128) return hash17to128(seeded);
  if (length <= 240) return hash129to240(seeded);
  return hashLong(seeded);
}

function hashEmpty(seed: bigint): Hash128 {
  return {
    low: avalancheXxh64(seed ^ secret64(64) ^ secret64(72)),
    high: avalancheXxh64(seed ^ secret64(80) ^ secret64(88)),
  };
}

function hash1to3({ view, seed }: Input): Hash128 {
  const length = view.byteLength;
  const [first, middle, last] = [0, length >> 1, length - 1].map((at) => view.getUint8(at));
  const combined = (((first ?? 0) << 16) | ((middle ?? 0) << 24) | (last ?? 0) | (length << 8)) >>>
    0;
  const turned = Number(swapWord(combined));
  const other = ((turned << 13) | (turned >>> 19)) >>> 0;
  const lowKey = BigInt((SECRET.getUint32(0, true) ^ SECRET.getUint32(4, true)) >>> 0) + seed;
  const highKey = BigInt((SECRET.getUint32(8, true) ^ SECRET.getUint32(12, true)) >>> 0) - seed;
  return {
    low: avalancheXxh64(BigInt(combined) ^ (lowKey & MASK_64)),
    high: avalancheXxh64(BigInt(other) ^ (highKey & MASK_64)),
  };
}

function hash4to8({ view, seed }: Input): Hash128 {
  const length = view.byteLength;
  const spread = seed ^ (swapWord(Number(seed & MASK_32)) << 32n);
  const head = BigInt(view.getUint32(0, true));
  const tail = BigInt(view.getUint32(length - 4, true));
  const key = ((secret64(16) ^ secret64(24)) + spread) & MASK_64;
  const product = (head + (tail << 32n) ^ key) * (PRIME64_1 + BigInt(length << 2));
  let low = product & MASK_64;
  const high = ((product >> 64n) + (low << 1n)) & MASK_64;
  low ^= high >> 3n;
  low = ((low ^ (low >> 35n)) * SHORT_MULTIPLIER) & MASK_64;
  return { low: low ^ (low >> 28n), high: avalanche(high) };
}

function hash9to16({ view, seed }: Input): Hash128 {
  const length = view.byteLength;
  const lowKey = ((secret64(32) ^ secret64(40)) - seed) & MASK_64;
  const highKey = ((secret64(48) ^ secret64(56)) + seed) & MASK_64;
  const head = view.getBigUint64(0, true);
  const tail = view.getBigUint64(length - 8, true);
  const product = (head ^ tail ^ lowKey) * PRIME64_1;
  const keyed = tail ^ highKey;
  const high = ((product >> 64n) + keyed + (keyed & MASK_32) * (PRIME32_2 - 1n)) & MASK_64;
  const low = ((product + (BigInt(length - 1) << 54n)) & MASK_64) ^ swapBytes(high);
  const mixed = low * PRIME64_2;
  return { low: avalanche(mixed), high: avalanche((mixed >> 64n) + high * PRIME64_2) };
}

function hash17to128(input: Input): Hash128 {
  const length = input.view.byteLength;
  const sums = { low: (BigInt(length) * PRIME64_1) & MASK_64, high: 0n };
  // Pairs of 16 bytes from both ends towards the middle, the inner ones first.
  for (let pair = (length - 1) >> 5; pair >= 0; pair--) {
    mix32(sums, input, pair * 16, length - 16 * (pair + 1), pair * 32);
  }
  return finish(sums, input);
}

function hash129to240(input: Input): Hash128 {
  const { view, seed } = input;
  const length = view.byteLength;
  const sums = { low: (BigInt(length) * PRIME64_1) & MASK_64, high: 0n };
  for (let at = 0; at < 128; at += 32) mix32(sums, input, at, at + 16, at);
  sums.low = avalanche(sums.low);
  sums.high = avalanche(sums.high);
  for (let at = 128; at + 32 <= length; at += 32) mix32(sums, input, at, at + 16, at - 128 + 3);
  mix32(sums, { view, seed: -seed & MASK_64 }, length - 16, length - 32, 136 - 17 - 16);
  return finish(sums, input);
}

function hashLong({ view, seed }: Input): Hash128 {
  const length = BigInt(view.byteLength);
  const secret = seededSecret(seed);
  const lanes = longLanes(view, secret);
  return {
    low: mergeLanes(lanes, secret, 11, length * PRIME64_1),
    high: mergeLanes(lanes, secret, SECRET_BYTES - 64 - 11, ~(length * PRIME64_2) & MASK_64),
  };
}

function finish({ low, high }: Sums, { view, seed }: Input): Hash128 {
  const length = BigInt(view.byteLength);
  return {
    low: avalanche(low + high),
    high: -avalanche(low * PRIME64_1 + high * PRIME64_4 + (length - seed) * PRIME64_2) & MASK_64,
  };
}

function mix32(sums: Sums, input: Input, first: number, second: number, secret: number): void {
  sums.low = ((sums.low + mix16(input, first, secret)) & MASK_64) ^ sumOf(input, second);
  sums.high = ((sums.high + mix16(input, second, secret + 16)) & MASK_64) ^ sumOf(input, first);
}

function mix16({ view, seed }: Input, offset: number, secret: number): bigint {
  return multiplyFold(
    view.getBigUint64(offset, true) ^ ((secret64(secret) + seed) & MASK_64),
    view.getBigUint64(offset + 8, true) ^ ((secret64(secret + 8) - seed) & MASK_64),
  );
}

function sumOf({ view }: Input, offset: number): bigint {
  return (view.getBigUint64(offset, true) + view.getBigUint64(offset + 8, true)) & MASK_64;
}

function seededSecret(seed: bigint): DataView {
  const secret = new DataView(new ArrayBuffer(SECRET_BYTES));
  for (let at = 0; at < SECRET_BYTES; at += 16) {
    secret.setBigUint64(at, secret64(at) + seed, true);
    secret.setBigUint64(at + 8, secret64(at + 8) - seed, true);
  }
  return secret;
}

/** The bytes of a word of 32 bits in the other order. */
function swapWord(value: number): bigint {
  return swapBytes(BigInt(value)) >> 32n;
}
