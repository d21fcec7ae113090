/**
 * BLAKE3 (unkeyed, 32 bytes out) over whole subtrees in linear memory.
 *
 * Chunks and parents are hashed in vector lanes, one node per lane: eight at a time as two
 * interleaved groups of four, four at a time, or one alone with scalar code. The caller copies input
 * to INPUT and keeps the stack of chaining values of an instance; it is in STACK during a call.
 * Keyed hashing, key derivation and longer output are not here.
 *
 * Not plain AssemblyScript: `build.ts` expands the macros first.
 */

/** Byte orders of the right rotations by 16 and by 8, read from memory as in `chacha.as`. */
const MASK_16: usize = memory.data<u8>([2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13], 16);
const MASK_8: usize = memory.data<u8>([1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12], 16);

/** Message words of the lanes, one vector per word and group of four. */
const MESSAGE: usize = 1024;
/** Last block of a chunk, padded with zeros. */
const BLOCK: usize = 1536;
/** Chaining value of {@linkcode compress}, and where {@linkcode finish} leaves the hash. */
const VALUE: usize = 1600;
/** Chaining values of complete subtrees, largest first: one for each bit set in the chunk count. */
const STACK: usize = 2048;
/** Chaining values of one level of the subtree in work; up to 64 and 7 lanes of waste. */
const LEVEL: usize = 4096;
const INPUT: usize = 8192;

/** Where short messages begin in INPUT, and how long they are; nothing is on the stack then. */
const PLACES: usize = STACK;
const LENGTHS: usize = STACK + 512;
/** A padded block for each lane. */
const PADDED: usize = STACK + 1024;

const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const PARENT: u32 = 4;
const ROOT: u32 = 8;

// @ts-ignore: decorator
@inline function rotr12(x: v128): v128 {
  return v128.or(i32x4.shr_u(x, 12), i32x4.shl(x, 20));
}
// @ts-ignore: decorator
@inline function rotr7(x: v128): v128 {
  return v128.or(i32x4.shr_u(x, 7), i32x4.shl(x, 25));
}

/** Half of four mixing steps side by side; words `i` of the message, group at `base`. */
macro HALF(a0, b0, c0, d0, a1, b1, c1, d1, a2, b2, c2, d2, a3, b3, c3, d3, i0, i1, i2, i3, base, mask, right) {
  a0 = i32x4.add(i32x4.add(a0, v128.load(MESSAGE, base + 16 * i0)), b0);
  a1 = i32x4.add(i32x4.add(a1, v128.load(MESSAGE, base + 16 * i1)), b1);
  a2 = i32x4.add(i32x4.add(a2, v128.load(MESSAGE, base + 16 * i2)), b2);
  a3 = i32x4.add(i32x4.add(a3, v128.load(MESSAGE, base + 16 * i3)), b3);
  d0 = i8x16.relaxed_swizzle(v128.xor(d0, a0), mask);
  d1 = i8x16.relaxed_swizzle(v128.xor(d1, a1), mask);
  d2 = i8x16.relaxed_swizzle(v128.xor(d2, a2), mask);
  d3 = i8x16.relaxed_swizzle(v128.xor(d3, a3), mask);
  c0 = i32x4.add(c0, d0);
  c1 = i32x4.add(c1, d1);
  c2 = i32x4.add(c2, d2);
  c3 = i32x4.add(c3, d3);
  b0 = right(v128.xor(b0, c0));
  b1 = right(v128.xor(b1, c1));
  b2 = right(v128.xor(b2, c2));
  b3 = right(v128.xor(b3, c3));
}

macro ROUND_4(k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15) {
  HALF!(x0, x4, x8, x12, x1, x5, x9, x13, x2, x6, x10, x14, x3, x7, x11, x15, k0, k2, k4, k6, 0, m16, rotr12)
  HALF!(x0, x4, x8, x12, x1, x5, x9, x13, x2, x6, x10, x14, x3, x7, x11, x15, k1, k3, k5, k7, 0, m8, rotr7)
  HALF!(x0, x5, x10, x15, x1, x6, x11, x12, x2, x7, x8, x13, x3, x4, x9, x14, k8, k10, k12, k14, 0, m16, rotr12)
  HALF!(x0, x5, x10, x15, x1, x6, x11, x12, x2, x7, x8, x13, x3, x4, x9, x14, k9, k11, k13, k15, 0, m8, rotr7)
}

macro ROUND_8(k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15) {
  HALF!(x0, x4, x8, x12, x1, x5, x9, x13, x2, x6, x10, x14, x3, x7, x11, x15, k0, k2, k4, k6, 0, m16, rotr12)
  HALF!(y0, y4, y8, y12, y1, y5, y9, y13, y2, y6, y10, y14, y3, y7, y11, y15, k0, k2, k4, k6, 256, m16, rotr12)
  HALF!(x0, x4, x8, x12, x1, x5, x9, x13, x2, x6, x10, x14, x3, x7, x11, x15, k1, k3, k5, k7, 0, m8, rotr7)
  HALF!(y0, y4, y8, y12, y1, y5, y9, y13, y2, y6, y10, y14, y3, y7, y11, y15, k1, k3, k5, k7, 256, m8, rotr7)
  HALF!(x0, x5, x10, x15, x1, x6, x11, x12, x2, x7, x8, x13, x3, x4, x9, x14, k8, k10, k12, k14, 0, m16, rotr12)
  HALF!(y0, y5, y10, y15, y1, y6, y11, y12, y2, y7, y8, y13, y3, y4, y9, y14, k8, k10, k12, k14, 256, m16, rotr12)
  HALF!(x0, x5, x10, x15, x1, x6, x11, x12, x2, x7, x8, x13, x3, x4, x9, x14, k9, k11, k13, k15, 0, m8, rotr7)
  HALF!(y0, y5, y10, y15, y1, y6, y11, y12, y2, y7, y8, y13, y3, y4, y9, y14, k9, k11, k13, k15, 256, m8, rotr7)
}

/** Message words offset / 4 .. offset / 4 + 3 of four lanes: a 4 by 4 transposition. */
macro TRANSPOSE_IN(from, offset, base) {
  t0 = v128.load(from, offset);
  t1 = v128.load(from + stride, offset);
  t2 = v128.load(from + 2 * stride, offset);
  t3 = v128.load(from + 3 * stride, offset);
  t4 = v128.shuffle<i32>(t0, t1, 0, 4, 1, 5);
  t5 = v128.shuffle<i32>(t0, t1, 2, 6, 3, 7);
  t6 = v128.shuffle<i32>(t2, t3, 0, 4, 1, 5);
  t7 = v128.shuffle<i32>(t2, t3, 2, 6, 3, 7);
  v128.store(MESSAGE, v128.shuffle<i64>(t4, t6, 0, 2), base + 4 * offset);
  v128.store(MESSAGE, v128.shuffle<i64>(t4, t6, 1, 3), base + 4 * offset + 16);
  v128.store(MESSAGE, v128.shuffle<i64>(t5, t7, 0, 2), base + 4 * offset + 32);
  v128.store(MESSAGE, v128.shuffle<i64>(t5, t7, 1, 3), base + 4 * offset + 48);
}

macro LOAD_MESSAGE(from, base) {
  TRANSPOSE_IN!(from, 0, base)
  TRANSPOSE_IN!(from, 16, base)
  TRANSPOSE_IN!(from, 32, base)
  TRANSPOSE_IN!(from, 48, base)
}

/** Words offset / 4 .. offset / 4 + 3 of four chaining values of 32 bytes. */
macro TRANSPOSE_OUT(a, b, c, d, offset) {
  t0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  t1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  t2 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  t3 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<i64>(t0, t2, 0, 2), offset);
  v128.store(out, v128.shuffle<i64>(t0, t2, 1, 3), offset + 32);
  v128.store(out, v128.shuffle<i64>(t1, t3, 0, 2), offset + 64);
  v128.store(out, v128.shuffle<i64>(t1, t3, 1, 3), offset + 96);
}

macro START_LANES(p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15) {
  let p0 = i32x4.splat(0x6a09e667);
  let p1 = i32x4.splat(0xbb67ae85);
  let p2 = i32x4.splat(0x3c6ef372);
  let p3 = i32x4.splat(0xa54ff53a);
  let p4 = i32x4.splat(0x510e527f);
  let p5 = i32x4.splat(0x9b05688c);
  let p6 = i32x4.splat(0x1f83d9ab);
  let p7 = i32x4.splat(0x5be0cd19);
  let p8: v128, p9: v128, p10: v128, p11: v128, p12: v128, p13: v128, p14: v128, p15: v128;
}

macro START_BLOCK(p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15, low, high) {
  p8 = i32x4.splat(0x6a09e667);
  p9 = i32x4.splat(0xbb67ae85);
  p10 = i32x4.splat(0x3c6ef372);
  p11 = i32x4.splat(0xa54ff53a);
  p12 = low;
  p13 = high;
  p14 = i32x4.splat(64);
  p15 = i32x4.splat(flags);
}

macro END_BLOCK(p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15) {
  p0 = v128.xor(p0, p8);
  p1 = v128.xor(p1, p9);
  p2 = v128.xor(p2, p10);
  p3 = v128.xor(p3, p11);
  p4 = v128.xor(p4, p12);
  p5 = v128.xor(p5, p13);
  p6 = v128.xor(p6, p14);
  p7 = v128.xor(p7, p15);
}

/**
 * Hashes four nodes of `blocks` blocks each, `stride` bytes apart, into chaining values at `out`.
 * Chunks count up from `counter`, a multiple of the lanes, so that its low half does not wrap
 * inside; for parents it is 0 and `step` is 0 too.
 */
function lanes4(at: usize, stride: usize, blocks: u32, counter: u64, step: u32, out: usize): void {
  const m16 = v128.load(MASK_16), m8 = v128.load(MASK_8);
  let t0: v128, t1: v128, t2: v128, t3: v128, t4: v128, t5: v128, t6: v128, t7: v128;
  const high = i32x4.splat(<u32>(counter >> 32));
  const lowX = i32x4.add(i32x4.splat(<u32>counter), i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(step)));
  START_LANES!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15)
  for (let block: u32 = 0; block < blocks; block++) {
    let flags: u32 = PARENT;
    if (step != 0) {
      flags = (block == 0 ? CHUNK_START : 0) | (block == blocks - 1 ? CHUNK_END : 0);
    }
    LOAD_MESSAGE!(at, 0)
    START_BLOCK!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, lowX, high)
    ROUND_4!(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    ROUND_4!(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
    ROUND_4!(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1)
    ROUND_4!(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6)
    ROUND_4!(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4)
    ROUND_4!(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7)
    ROUND_4!(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13)
    END_BLOCK!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15)
    at += 64;
  }
  TRANSPOSE_OUT!(x0, x1, x2, x3, 0)
  TRANSPOSE_OUT!(x4, x5, x6, x7, 16)
}

/**
 * Hashes eight nodes of `blocks` blocks each, `stride` bytes apart, into chaining values at `out`.
 * Chunks count up from `counter`, a multiple of the lanes, so that its low half does not wrap
 * inside; for parents it is 0 and `step` is 0 too.
 */
function lanes8(at: usize, stride: usize, blocks: u32, counter: u64, step: u32, out: usize): void {
  const m16 = v128.load(MASK_16), m8 = v128.load(MASK_8);
  let t0: v128, t1: v128, t2: v128, t3: v128, t4: v128, t5: v128, t6: v128, t7: v128;
  const high = i32x4.splat(<u32>(counter >> 32));
  const lowX = i32x4.add(i32x4.splat(<u32>counter), i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(step)));
  const lowY = i32x4.add(i32x4.splat(<u32>counter), i32x4.mul(i32x4(4, 5, 6, 7), i32x4.splat(step)));
  START_LANES!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15)
  START_LANES!(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15)
  for (let block: u32 = 0; block < blocks; block++) {
    let flags: u32 = PARENT;
    if (step != 0) {
      flags = (block == 0 ? CHUNK_START : 0) | (block == blocks - 1 ? CHUNK_END : 0);
    }
    LOAD_MESSAGE!(at, 0)
    LOAD_MESSAGE!(at + 4 * stride, 256)
    START_BLOCK!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, lowX, high)
    START_BLOCK!(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, lowY, high)
    ROUND_8!(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    ROUND_8!(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
    ROUND_8!(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1)
    ROUND_8!(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6)
    ROUND_8!(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4)
    ROUND_8!(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7)
    ROUND_8!(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13)
    END_BLOCK!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15)
    END_BLOCK!(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15)
    at += 64;
  }
  TRANSPOSE_OUT!(x0, x1, x2, x3, 0)
  TRANSPOSE_OUT!(x4, x5, x6, x7, 16)
  out += 128;
  TRANSPOSE_OUT!(y0, y1, y2, y3, 0)
  TRANSPOSE_OUT!(y4, y5, y6, y7, 16)
}

/** Words offset / 4 .. offset / 4 + 3 of four lanes that lie anywhere. */
macro GATHER_IN(a, b, c, d, offset, base) {
  t0 = v128.load(a, offset);
  t1 = v128.load(b, offset);
  t2 = v128.load(c, offset);
  t3 = v128.load(d, offset);
  t4 = v128.shuffle<i32>(t0, t1, 0, 4, 1, 5);
  t5 = v128.shuffle<i32>(t0, t1, 2, 6, 3, 7);
  t6 = v128.shuffle<i32>(t2, t3, 0, 4, 1, 5);
  t7 = v128.shuffle<i32>(t2, t3, 2, 6, 3, 7);
  v128.store(MESSAGE, v128.shuffle<i64>(t4, t6, 0, 2), base + 4 * offset);
  v128.store(MESSAGE, v128.shuffle<i64>(t4, t6, 1, 3), base + 4 * offset + 16);
  v128.store(MESSAGE, v128.shuffle<i64>(t5, t7, 0, 2), base + 4 * offset + 32);
  v128.store(MESSAGE, v128.shuffle<i64>(t5, t7, 1, 3), base + 4 * offset + 48);
}

macro GATHER_MESSAGE(a, b, c, d, base) {
  GATHER_IN!(a, b, c, d, 0, base)
  GATHER_IN!(a, b, c, d, 16, base)
  GATHER_IN!(a, b, c, d, 32, base)
  GATHER_IN!(a, b, c, d, 48, base)
}

/** The block of a short message, where it lies or padded with zeros; a message that is over has none. */
function blockOfShort(message: u32, block: u32): usize {
  const length = load<u32>(LENGTHS + 4 * message);
  const at = INPUT + load<u32>(PLACES + 4 * message) + 64 * block;
  const rest = <i32>length - 64 * <i32>block;
  if (rest >= 64) return at;
  const padded = PADDED + 64 * (message & 7);
  memory.fill(padded, 0, 64);
  if (rest > 0) memory.copy(padded, at, rest);
  return padded;
}

macro KEEP_ENDED(p0, p1, p2, p3, p4, p5, p6, p7, o0, o1, o2, o3, o4, o5, o6, o7, going) {
  p0 = v128.bitselect(p0, o0, going);
  p1 = v128.bitselect(p1, o1, going);
  p2 = v128.bitselect(p2, o2, going);
  p3 = v128.bitselect(p3, o3, going);
  p4 = v128.bitselect(p4, o4, going);
  p5 = v128.bitselect(p5, o5, going);
  p6 = v128.bitselect(p6, o6, going);
  p7 = v128.bitselect(p7, o7, going);
}

/** Hashes eight messages of at most 1024 bytes, from the one with this number on, to `out`. */
function shorts8(message: u32, blocks: u32, out: usize): void {
  const m16 = v128.load(MASK_16), m8 = v128.load(MASK_8);
  let t0: v128, t1: v128, t2: v128, t3: v128, t4: v128, t5: v128, t6: v128, t7: v128;
  const lengthsX = v128.load(LENGTHS + 4 * message);
  const lengthsY = v128.load(LENGTHS + 4 * message, 16);
  const zero = i32x4.splat(0);
  const full = i32x4.splat(64);
  START_LANES!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15)
  START_LANES!(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15)
  for (let block: u32 = 0; block < blocks; block++) {
    const from0 = blockOfShort(message, block);
    const from1 = blockOfShort(message + 1, block);
    const from2 = blockOfShort(message + 2, block);
    const from3 = blockOfShort(message + 3, block);
    GATHER_MESSAGE!(from0, from1, from2, from3, 0)
    const from4 = blockOfShort(message + 4, block);
    const from5 = blockOfShort(message + 5, block);
    const from6 = blockOfShort(message + 6, block);
    const from7 = blockOfShort(message + 7, block);
    GATHER_MESSAGE!(from4, from5, from6, from7, 256)
    const done = i32x4.splat(64 * block);
    const restX = i32x4.sub(lengthsX, done);
    const restY = i32x4.sub(lengthsY, done);
    // An empty message has one block all the same.
    const goingX = block == 0 ? i32x4.splat(-1) : i32x4.gt_s(restX, zero);
    const goingY = block == 0 ? i32x4.splat(-1) : i32x4.gt_s(restY, zero);
    const flags: u32 = block == 0 ? CHUNK_START : 0;
    const start = i32x4.splat(flags);
    const end = i32x4.splat(CHUNK_END | ROOT);
    START_BLOCK!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, zero, zero)
    START_BLOCK!(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, zero, zero)
    x14 = i32x4.min_s(i32x4.max_s(restX, zero), full);
    y14 = i32x4.min_s(i32x4.max_s(restY, zero), full);
    x15 = v128.or(start, v128.and(end, i32x4.le_s(restX, full)));
    y15 = v128.or(start, v128.and(end, i32x4.le_s(restY, full)));
    const u0 = x0, u1 = x1, u2 = x2, u3 = x3, u4 = x4, u5 = x5, u6 = x6, u7 = x7;
    const w0 = y0, w1 = y1, w2 = y2, w3 = y3, w4 = y4, w5 = y5, w6 = y6, w7 = y7;
    ROUND_8!(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    ROUND_8!(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
    ROUND_8!(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1)
    ROUND_8!(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6)
    ROUND_8!(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4)
    ROUND_8!(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7)
    ROUND_8!(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13)
    END_BLOCK!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15)
    END_BLOCK!(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15)
    KEEP_ENDED!(x0, x1, x2, x3, x4, x5, x6, x7, u0, u1, u2, u3, u4, u5, u6, u7, goingX)
    KEEP_ENDED!(y0, y1, y2, y3, y4, y5, y6, y7, w0, w1, w2, w3, w4, w5, w6, w7, goingY)
  }
  TRANSPOSE_OUT!(x0, x1, x2, x3, 0)
  TRANSPOSE_OUT!(x4, x5, x6, x7, 16)
  out += 128;
  TRANSPOSE_OUT!(y0, y1, y2, y3, 0)
  TRANSPOSE_OUT!(y4, y5, y6, y7, 16)
}

macro MIX(a, b, c, d, i, j) {
  a += b + load<u32>(block, 4 * i);
  d = rotr(d ^ a, 16);
  c += d;
  b = rotr(b ^ c, 12);
  a += b + load<u32>(block, 4 * j);
  d = rotr(d ^ a, 8);
  c += d;
  b = rotr(b ^ c, 7);
}

macro ROUND_1(k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15) {
  MIX!(x0, x4, x8, x12, k0, k1)
  MIX!(x1, x5, x9, x13, k2, k3)
  MIX!(x2, x6, x10, x14, k4, k5)
  MIX!(x3, x7, x11, x15, k6, k7)
  MIX!(x0, x5, x10, x15, k8, k9)
  MIX!(x1, x6, x11, x12, k10, k11)
  MIX!(x2, x7, x8, x13, k12, k13)
  MIX!(x3, x4, x9, x14, k14, k15)
}

/** Compresses one block into VALUE. */
function compress(block: usize, length: u32, counter: u64, flags: u32): void {
  let x0 = load<u32>(VALUE, 0);
  let x1 = load<u32>(VALUE, 4);
  let x2 = load<u32>(VALUE, 8);
  let x3 = load<u32>(VALUE, 12);
  let x4 = load<u32>(VALUE, 16);
  let x5 = load<u32>(VALUE, 20);
  let x6 = load<u32>(VALUE, 24);
  let x7 = load<u32>(VALUE, 28);
  let x8: u32 = 0x6a09e667;
  let x9: u32 = 0xbb67ae85;
  let x10: u32 = 0x3c6ef372;
  let x11: u32 = 0xa54ff53a;
  let x12 = <u32>counter;
  let x13 = <u32>(counter >> 32);
  let x14 = length;
  let x15 = flags;
  ROUND_1!(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  ROUND_1!(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
  ROUND_1!(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1)
  ROUND_1!(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6)
  ROUND_1!(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4)
  ROUND_1!(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7)
  ROUND_1!(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13)
  store<u32>(VALUE, x0 ^ x8, 0);
  store<u32>(VALUE, x1 ^ x9, 4);
  store<u32>(VALUE, x2 ^ x10, 8);
  store<u32>(VALUE, x3 ^ x11, 12);
  store<u32>(VALUE, x4 ^ x12, 16);
  store<u32>(VALUE, x5 ^ x13, 20);
  store<u32>(VALUE, x6 ^ x14, 24);
  store<u32>(VALUE, x7 ^ x15, 28);
}

// @ts-ignore: decorator
@inline function moveValue(target: usize, source: usize): void {
  const high = v128.load(source, 16);
  v128.store(target, v128.load(source));
  v128.store(target, high, 16);
}

function startValue(): void {
  store<u32>(VALUE, 0x6a09e667, 0);
  store<u32>(VALUE, 0xbb67ae85, 4);
  store<u32>(VALUE, 0x3c6ef372, 8);
  store<u32>(VALUE, 0xa54ff53a, 12);
  store<u32>(VALUE, 0x510e527f, 16);
  store<u32>(VALUE, 0x9b05688c, 20);
  store<u32>(VALUE, 0x1f83d9ab, 24);
  store<u32>(VALUE, 0x5be0cd19, 28);
}

/** Hashes one chunk of 0..1024 bytes into VALUE; `root` is ROOT when it is the whole input. */
function hashChunk(at: usize, length: u32, counter: u64, root: u32): void {
  let flags = CHUNK_START;
  startValue();
  while (length > 64) {
    compress(at, 64, counter, flags);
    flags = 0;
    at += 64;
    length -= 64;
  }
  if (length < 64) {
    memory.fill(BLOCK, 0, 64);
    memory.copy(BLOCK, at, length);
    at = BLOCK;
  }
  compress(at, length, counter, flags | CHUNK_END | root);
}

/** Hashes the parent of the two chaining values at `pair` into VALUE. */
function hashParent(pair: usize, root: u32): void {
  startValue();
  compress(pair, 64, 0, PARENT | root);
}

/** Hashes whole chunks of INPUT into LEVEL. Lanes without a chunk hash whatever lies there. */
function hashChunks(count: u32, counter: u64): void {
  let at: usize = INPUT;
  let out: usize = LEVEL;
  while (count > 4) {
    lanes8(at, 1024, 16, counter, 1, out);
    if (count <= 8) return;
    at += 8192;
    out += 256;
    counter += 8;
    count -= 8;
  }
  if (count > 1) {
    lanes4(at, 1024, 16, counter, 1, out);
  } else if (count == 1) {
    hashChunk(at, 1024, counter, 0);
    moveValue(out, VALUE);
  }
}

/**
 * Replaces the chaining values in LEVEL by those of their parents until at most `until` are left;
 * an odd last one moves up as it is, which gives the tree BLAKE3 asks for.
 */
function reduceLevel(count: u32, until: u32): u32 {
  while (count > until) {
    const pairs = count >> 1;
    let left = pairs;
    let at: usize = LEVEL;
    let out: usize = LEVEL;
    while (left > 4) {
      lanes8(at, 64, 1, 0, 0, out);
      at += 512;
      out += 256;
      left = left > 8 ? left - 8 : 0;
    }
    if (left > 1) {
      lanes4(at, 64, 1, 0, 0, out);
    } else if (left == 1) {
      hashParent(at, 0);
      moveValue(out, VALUE);
    }
    if (count & 1) moveValue(LEVEL + pairs * 32, LEVEL + pairs * 64);
    count -= pairs;
  }
  return count;
}

/**
 * Puts the chaining value in LEVEL, of a subtree of `chunks` chunks behind `counter` others, on the stack,
 * and merges it with those that it completes. Subtrees of `until` chunks and more are left apart.
 */
function pushLevel(chunks: u64, counter: u64, stacked: u32, until: u64): u32 {
  let top: usize = STACK + stacked * 32;
  moveValue(top, LEVEL);
  // One merge for each size, from this one on, that the stack held already.
  let bit = chunks;
  while (counter & bit && bit != until) {
    top -= 32;
    hashParent(top, 0);
    moveValue(top, VALUE);
    bit <<= 1;
  }
  return <u32>((top - STACK) >> 5) + 1;
}

/**
 * Hashes `chunks` chunks of INPUT, a power of two up to 64 that divides the number of chunks before
 * them, and puts the subtree on the stack. More input must follow.
 *
 * @param until When not 0, a power of two: what is hashed is part of a subtree of so many chunks, and
 * the stack holds nothing but other parts of it.
 * @returns The new length of the stack.
 */
export function pushSubtree(
  chunks: u32,
  counterLow: u32,
  counterHigh: u32,
  stacked: u32,
  until: u32,
): u32 {
  const counter = (<u64>counterHigh << 32) | counterLow;
  hashChunks(chunks, counter);
  reduceLevel(chunks, 1);
  return pushLevel(chunks, counter, stacked, until);
}

/**
 * Puts a subtree of `chunks` chunks that was hashed elsewhere, its chaining value in LEVEL, on the
 * stack. More input must follow.
 *
 * @returns The new length of the stack.
 */
export function pushValue(chunks: u32, counterLow: u32, counterHigh: u32, stacked: u32): u32 {
  return pushLevel(chunks, (<u64>counterHigh << 32) | counterLow, stacked, 0);
}

/** Ends a message with the subtree whose chaining value is in LEVEL; the stack is not empty. */
export function finishValue(stacked: u32): void {
  let top: usize = STACK + stacked * 32;
  moveValue(top, LEVEL);
  while (top > STACK) {
    top -= 32;
    hashParent(top, top == STACK ? ROOT : 0);
    moveValue(top, VALUE);
  }
}

/**
 * Hashes the last `length` bytes of a message, 0..65536 in INPUT, and all that is on the stack; the
 * hash is in VALUE then. Without a stack this is the whole message.
 */
export function finish(length: u32, counterLow: u32, counterHigh: u32, stacked: u32): void {
  const counter = (<u64>counterHigh << 32) | counterLow;
  if (length <= 1024 && stacked == 0) {
    hashChunk(INPUT, length, counter, ROOT);
    return;
  }
  let count = length >> 10;
  hashChunks(count, counter);
  if (length & 1023) {
    hashChunk(INPUT + (count << 10), length & 1023, counter + count, 0);
    moveValue(LEVEL + count * 32, VALUE);
    count++;
  }
  if (stacked == 0) {
    reduceLevel(count, 2);
    hashParent(LEVEL, ROOT);
    return;
  }
  reduceLevel(count, 1);
  finishValue(stacked);
}

/**
 * Hashes up to 64 messages of at most 1024 bytes each, which lie in INPUT where PLACES and LENGTHS say; their hashes
 * are in LEVEL then, one behind the other. Nothing may be on the stack.
 */
export function hashShorts(count: u32): void {
  for (let from: u32 = 0; from < count; from += 8) {
    let longest: u32 = 0;
    for (let message = from; message < from + 8; message++) {
      // Lanes without a message hash nothing.
      if (message >= count) store<u32>(LENGTHS + 4 * message, 0);
      longest = max(longest, load<u32>(LENGTHS + 4 * message));
    }
    shorts8(from, max<u32>(1, (longest + 63) >> 6), LEVEL + 32 * from);
  }
}
