/**
 * XXH3-64 (seed 0, default secret) of bytes in linear memory, and the index records of a log made with it.
 *
 * The caller puts bytes anywhere behind LANES and names the place, so nothing is copied here. Long
 * inputs that do not fit in memory go through `startLanes`, `addBlocks` and `finishLanes`.
 *
 * Not plain AssemblyScript: `build.ts` expands the macros first.
 */

const SECRET: usize = memory.data<u8>([
  0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
  0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
  0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
  0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
  0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
  0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
  0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
  0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
  0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
  0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
  0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
  0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
], 16);
/** The eight 64-bit lanes of a long input. */
const LANES: usize = 512;

const PRIME32_1: u64 = 0x9e3779b1;
const PRIME32_2: u64 = 0x85ebca77;
const PRIME32_3: u64 = 0xc2b2ae3d;
const PRIME64_1: u64 = 0x9e3779b185ebca87;
const PRIME64_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME64_3: u64 = 0x165667b19e3779f9;
const PRIME64_4: u64 = 0x85ebca77c2b2ae63;
const PRIME64_5: u64 = 0x27d4eb2f165667c5;
const SHORT_MULTIPLIER: u64 = 0x9fb21c651e98df25;
const AVALANCHE_MULTIPLIER: u64 = 0x165667919e3779f9;

/** Bytes of a stripe, of the secret, and of a block: 16 stripes, each 8 bytes further in the secret. */
const STRIPE: usize = 64;
const SECRET_BYTES: usize = 192;
const BLOCK: usize = 1024;

/** High half of the last hash. */
let highHalf: u32 = 0;

/** Low half of the hash of bytes; the high half is in {@linkcode high}. */
export function hash(at: usize, length: u32): u32 {
  const value = hash64(at, length);
  highHalf = <u32>(value >> 32);
  return <u32>value;
}

/** High half of what `hash` or `finishLanes` gave last. */
export function high(): u32 {
  return highHalf;
}

/** floor(hash * buckets / 2^64), for at most 2^32 - 1 buckets. */
export function bucket(at: usize, length: u32, buckets: u32): u32 {
  return <u32>multiplyHigh(hash64(at, length), <u64>buckets);
}

/** Begins a long input, of more than 240 bytes. */
export function startLanes(): void {
  store<u64>(LANES, PRIME32_3);
  store<u64>(LANES, PRIME64_1, 8);
  store<u64>(LANES, PRIME64_2, 16);
  store<u64>(LANES, PRIME64_3, 24);
  store<u64>(LANES, PRIME64_4, 32);
  store<u64>(LANES, PRIME32_2, 40);
  store<u64>(LANES, PRIME64_5, 48);
  store<u64>(LANES, PRIME32_1, 56);
}

/** Adds whole blocks of 1024 bytes; at least one byte must follow them. */
export function addBlocks(at: usize, blocks: u32): void {
  for (let block: u32 = 0; block < blocks; block++) {
    addStripes(at, 16);
    scramble();
    at += BLOCK;
  }
}

/** Adds the last 1 to 1024 bytes, before which 64 bytes of the same input lie; low half of the hash. */
export function finishLanes(at: usize, length: u32, totalLow: u32, totalHigh: u32): u32 {
  const value = finish64(at, length, (<u64>totalHigh << 32) | <u64>totalLow);
  highHalf = <u32>(value >> 32);
  return <u32>value;
}

/**
 * Makes `count` index records of 20 bytes at `records` and as many times at `times`.
 *
 * The payloads lie one behind the other at `payload`, their lengths as 32-bit words at `lengths`.
 * `offset` is where the first one goes in the payload file; with `isInline` each is 8 bytes long and
 * goes into its record.
 */
export function makeRecords(
  lengths: usize,
  payload: usize,
  records: usize,
  times: usize,
  count: u32,
  seqLow: u32,
  seqHigh: u32,
  offset: u32,
  timeLow: u32,
  timeHigh: u32,
  isInline: u32,
): void {
  let seq = (<u64>seqHigh << 32) | <u64>seqLow;
  const time = (<u64>timeHigh << 32) | <u64>timeLow;
  for (let i: u32 = 0; i < count; i++) {
    const length = load<u32>(lengths);
    const checksum = <u32>hash64(payload, length) & 0x0fffffff;
    store<u64>(records, seq);
    if (isInline != 0) {
      store<u64>(records, load<u64>(payload), 8);
      store<u32>(records, checksum | 0x80000000, 16);
    } else {
      store<u32>(records, offset, 8);
      store<u32>(records, length, 12);
      store<u32>(records, checksum, 16);
    }
    store<u64>(times, time);
    seq += 1;
    offset += length;
    lengths += 4;
    payload += length;
    records += 20;
    times += 8;
  }
}

function hash64(at: usize, length: u32): u64 {
  if (length > 16) {
    if (length <= 128) return hash17to128(at, length);
    if (length <= 240) return hash129to240(at, length);
    startLanes();
    const blocks = (length - 1) >> 10;
    addBlocks(at, blocks);
    return finish64(at + (<usize>blocks << 10), length - (blocks << 10), length);
  }
  if (length > 8) return hash9to16(at, length);
  if (length >= 4) return hash4to8(at, length);
  if (length > 0) return hash1to3(at, length);
  return avalancheXxh64(load<u64>(SECRET, 56) ^ load<u64>(SECRET, 64));
}

function hash1to3(at: usize, length: u32): u64 {
  const first = <u32>load<u8>(at);
  const middle = <u32>load<u8>(at + (length >> 1));
  const last = <u32>load<u8>(at + length - 1);
  const combined = (first << 16) | (middle << 24) | last | (length << 8);
  return avalancheXxh64(<u64>(combined ^ load<u32>(SECRET) ^ load<u32>(SECRET, 4)));
}

function hash4to8(at: usize, length: u32): u64 {
  const head = <u64>load<u32>(at);
  const tail = <u64>load<u32>(at + length - 4);
  const keyed = (tail + (head << 32)) ^ load<u64>(SECRET, 8) ^ load<u64>(SECRET, 16);
  let value = keyed ^ rotl<u64>(keyed, 49) ^ rotl<u64>(keyed, 24);
  value *= SHORT_MULTIPLIER;
  value ^= (value >> 35) + <u64>length;
  value *= SHORT_MULTIPLIER;
  return value ^ (value >> 28);
}

function hash9to16(at: usize, length: u32): u64 {
  const low = load<u64>(at) ^ load<u64>(SECRET, 24) ^ load<u64>(SECRET, 32);
  const high = load<u64>(at + length - 8) ^ load<u64>(SECRET, 40) ^ load<u64>(SECRET, 48);
  return avalanche(<u64>length + bswap<u64>(low) + high + multiplyFold(low, high));
}

function hash17to128(at: usize, length: u32): u64 {
  let sum = <u64>length * PRIME64_1;
  const end = at + length;
  if (length > 32) {
    if (length > 64) {
      if (length > 96) sum += mix16(at + 48, SECRET + 96) + mix16(end - 64, SECRET + 112);
      sum += mix16(at + 32, SECRET + 64) + mix16(end - 48, SECRET + 80);
    }
    sum += mix16(at + 16, SECRET + 32) + mix16(end - 32, SECRET + 48);
  }
  return avalanche(sum + mix16(at, SECRET) + mix16(end - 16, SECRET + 16));
}

function hash129to240(at: usize, length: u32): u64 {
  let sum = <u64>length * PRIME64_1;
  for (let i: usize = 0; i < 128; i += 16) sum += mix16(at + i, SECRET + i);
  sum = avalanche(sum);
  const end = <usize>(length >> 4) << 4;
  for (let i: usize = 128; i < end; i += 16) sum += mix16(at + i, SECRET + i - 128 + 3);
  return avalanche(sum + mix16(at + length - 16, SECRET + 136 - 17));
}

function finish64(at: usize, length: u32, total: u64): u64 {
  addStripes(at, (length - 1) >> 6);
  addStripe(at + length - STRIPE, SECRET + SECRET_BYTES - STRIPE - 7);
  let sum = total * PRIME64_1;
  for (let i: usize = 0; i < 64; i += 16) {
    const left = load<u64>(LANES + i) ^ load<u64>(SECRET + i, 11);
    const right = load<u64>(LANES + i, 8) ^ load<u64>(SECRET + i, 19);
    sum += multiplyFold(left, right);
  }
  return avalanche(sum);
}

/** A quarter of a stripe: two lanes. */
macro ADD(lanes, offset) {
  data = v128.load(at, offset);
  keyed = v128.xor(data, v128.load(secret, offset));
  lanes = i64x2.add(lanes, v128.shuffle<i64>(data, data, 1, 0));
  lanes = i64x2.add(lanes, i64x2.extmul_low_i32x4_u(v128.shuffle<i32>(keyed, keyed, 0, 2, 0, 2), v128.shuffle<i32>(keyed, keyed, 1, 3, 1, 3)));
}

macro LOAD_LANES() {
  let a = v128.load(LANES), b = v128.load(LANES, 16), c = v128.load(LANES, 32), d = v128.load(LANES, 48);
  let data: v128, keyed: v128;
}

macro STORE_LANES() {
  v128.store(LANES, a);
  v128.store(LANES, b, 16);
  v128.store(LANES, c, 32);
  v128.store(LANES, d, 48);
}

function addStripes(at: usize, count: u32): void {
  LOAD_LANES!()
  let secret = SECRET;
  for (let i: u32 = 0; i < count; i++) {
    ADD!(a, 0)
    ADD!(b, 16)
    ADD!(c, 32)
    ADD!(d, 48)
    at += STRIPE;
    secret += 8;
  }
  STORE_LANES!()
}

function addStripe(at: usize, secret: usize): void {
  LOAD_LANES!()
  ADD!(a, 0)
  ADD!(b, 16)
  ADD!(c, 32)
  ADD!(d, 48)
  STORE_LANES!()
}

function scramble(): void {
  const prime = i64x2.splat(PRIME32_1);
  for (let i: usize = 0; i < 64; i += 16) {
    let lanes = v128.load(LANES + i);
    lanes = v128.xor(lanes, i64x2.shr_u(lanes, 47));
    lanes = v128.xor(lanes, v128.load(SECRET + SECRET_BYTES - STRIPE + i));
    v128.store(LANES + i, i64x2.mul(lanes, prime));
  }
}

// @ts-ignore: decorator
@inline function mix16(at: usize, secret: usize): u64 {
  return multiplyFold(load<u64>(at) ^ load<u64>(secret), load<u64>(at, 8) ^ load<u64>(secret, 8));
}

/** Low half of the 128-bit product XOR its high half. */
// @ts-ignore: decorator
@inline function multiplyFold(left: u64, right: u64): u64 {
  return (left * right) ^ multiplyHigh(left, right);
}

// @ts-ignore: decorator
@inline function multiplyHigh(left: u64, right: u64): u64 {
  const leftLow = left & 0xffffffff, leftHigh = left >> 32;
  const rightLow = right & 0xffffffff, rightHigh = right >> 32;
  const middle = leftHigh * rightLow + ((leftLow * rightLow) >> 32);
  const other = leftLow * rightHigh + (middle & 0xffffffff);
  return leftHigh * rightHigh + (middle >> 32) + (other >> 32);
}

// @ts-ignore: decorator
@inline function avalanche(value: u64): u64 {
  value ^= value >> 37;
  value *= AVALANCHE_MULTIPLIER;
  return value ^ (value >> 32);
}

// @ts-ignore: decorator
@inline function avalancheXxh64(value: u64): u64 {
  value ^= value >> 33;
  value *= PRIME64_2;
  value ^= value >> 29;
  value *= PRIME64_3;
  return value ^ (value >> 32);
}
