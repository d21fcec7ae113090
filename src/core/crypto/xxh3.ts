/**
 * XXH3-64 with seed 0 and the default secret, for inputs of any length (`wire.md` 1: channel hashes and
 * stream ids made from names).
 *
 * It hashes names of at most a few hundred bytes, so 64-bit arithmetic is plain `bigint`; callers keep
 * the result, nothing here is meant to run per packet. Not a cryptographic hash.
 */
import { utf8 } from "../../base/mod.ts";

const PRIME32_1 = 0x9e3779b1n;
const PRIME32_2 = 0x85ebca77n;
const PRIME32_3 = 0xc2b2ae3dn;
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME64_3 = 0x165667b19e3779f9n;
const PRIME64_4 = 0x85ebca77c2b2ae63n;
const PRIME64_5 = 0x27d4eb2f165667c5n;
const AVALANCHE_MULTIPLIER = 0x165667919e3779f9n;
const SHORT_MULTIPLIER = 0x9fb21c651e98df25n;

const MASK_32 = 0xffff_ffffn;
const MASK_64 = 0xffff_ffff_ffff_ffffn;

/** The algorithm's default secret, 192 bytes. */
const SECRET = new DataView(
  Uint8Array.fromHex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f" +
      "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c" +
      "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
      "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364" +
      "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e" +
      "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e",
  ).buffer,
);
const SECRET_BYTES = 192;
const STRIPE_BYTES = 64;
/** Each stripe moves 8 bytes along the secret: (192 - 64) / 8 stripes make a block. */
const STRIPES_PER_BLOCK = (SECRET_BYTES - STRIPE_BYTES) / 8;

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
  const length = view.byteLength;
  const lanes = BigUint64Array.of(
    PRIME32_3,
    PRIME64_1,
    PRIME64_2,
    PRIME64_3,
    PRIME64_4,
    PRIME32_2,
    PRIME64_5,
    PRIME32_1,
  );
  // The last 1 to 64 bytes never count as a stripe here, so a block that ends the input isn't scrambled.
  const stripes = Math.floor((length - 1) / STRIPE_BYTES);
  for (let stripe = 0; stripe < stripes; stripe++) {
    const inBlock = stripe % STRIPES_PER_BLOCK;
    accumulate(lanes, view, stripe * STRIPE_BYTES, inBlock * 8);
    if (inBlock === STRIPES_PER_BLOCK - 1) scramble(lanes);
  }
  accumulate(lanes, view, length - STRIPE_BYTES, SECRET_BYTES - STRIPE_BYTES - 7);
  let sum = BigInt(length) * PRIME64_1;
  for (let i = 0; i < 4; i++) {
    sum += multiplyFold(
      lane(lanes, 2 * i) ^ secret64(11 + 16 * i),
      lane(lanes, 2 * i + 1) ^ secret64(19 + 16 * i),
    );
  }
  return avalanche(sum);
}

function accumulate(lanes: BigUint64Array, view: DataView, offset: number, secret: number): void {
  for (let i = 0; i < 8; i++) {
    const value = view.getBigUint64(offset + 8 * i, true);
    const keyed = value ^ secret64(secret + 8 * i);
    lanes[i ^ 1] = lane(lanes, i ^ 1) + value;
    lanes[i] = lane(lanes, i) + (keyed & MASK_32) * (keyed >> 32n);
  }
}

function scramble(lanes: BigUint64Array): void {
  for (let i = 0; i < 8; i++) {
    const value = lane(lanes, i);
    lanes[i] = (value ^ (value >> 47n) ^ secret64(SECRET_BYTES - STRIPE_BYTES + 8 * i)) *
      PRIME32_1;
  }
}

function lane(lanes: BigUint64Array, index: number): bigint {
  return lanes[index] ?? 0n;
}

function mix16(view: DataView, offset: number, secret: number): bigint {
  return multiplyFold(
    view.getBigUint64(offset, true) ^ secret64(secret),
    view.getBigUint64(offset + 8, true) ^ secret64(secret + 8),
  );
}

/** Low half of the 128-bit product XOR its high half. */
function multiplyFold(left: bigint, right: bigint): bigint {
  const product = left * right;
  return (product & MASK_64) ^ (product >> 64n);
}

function avalanche(sum: bigint): bigint {
  let hash = sum & MASK_64;
  hash ^= hash >> 37n;
  hash = (hash * AVALANCHE_MULTIPLIER) & MASK_64;
  return hash ^ (hash >> 32n);
}

function avalancheXxh64(value: bigint): bigint {
  let hash = value;
  hash ^= hash >> 33n;
  hash = (hash * PRIME64_2) & MASK_64;
  hash ^= hash >> 29n;
  hash = (hash * PRIME64_3) & MASK_64;
  return hash ^ (hash >> 32n);
}

function rotateLeft(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK_64;
}

function swapBytes(value: bigint): bigint {
  let swapped = 0n;
  for (let i = 0n; i < 64n; i += 8n) swapped = (swapped << 8n) | ((value >> i) & 0xffn);
  return swapped;
}

function secret64(offset: number): bigint {
  return SECRET.getBigUint64(offset, true);
}
