/**
 * ChaCha20-Poly1305 (RFC 8439) in place in linear memory, for packets and for general use.
 *
 * ChaCha20 computes four blocks at a time, one per vector lane, and two such batches interleaved
 * when there is work for them: vector operations take two cycles on recent cores, so that one batch
 * alone waits for itself. Poly1305 keeps the accumulator in four 32-bit limbs and two top bits,
 * each limb in a u64, and carries only one limb per block.
 * Addresses and lengths are checked by the TypeScript side.
 *
 * Not plain AssemblyScript: `macro NAME(a, b) { … }` and `NAME!(x, y)` are expanded by
 * `build.ts` first, because inlined functions cannot return sixteen values.
 */

/**
 * Byte orders of the rotations by 16 and by 8. Read from memory on purpose: the engine builds a
 * literal mask anew for every use.
 */
const MASK_16: usize = memory.data<u8>([2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13], 16);
const MASK_8: usize = memory.data<u8>([3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14], 16);

/** 512 bytes of keystream; all zero between calls, so that no key material stays behind. */
const KEYSTREAM: usize = 1024;
/** Payloads up to this many bytes fit the keystream blocks 1..3. */
const SHORT: u32 = 192;

/** Header length, then where the nonce is (`wire.md` 3). */
const HEADER: usize = 68;
const NONCE: usize = 12;
const AAD_LENGTH: u64 = 56;
/** Clears hop_count, byte 6 of the header, which is outside the authentication. */
const WITHOUT_HOP_COUNT: u64 = 0xff00ffffffffffff;

const LOW: u64 = 0xffffffff;
/** r is clamped: top four bits of each word and bottom two bits of words 1..3 are zero. */
const CLAMP_0: u64 = 0x0ffffffc0fffffff;
const CLAMP_1: u64 = 0x0ffffffc0ffffffc;

let r0: u64 = 0, r1: u64 = 0, r2: u64 = 0, r3: u64 = 0;
let h0: u64 = 0, h1: u64 = 0, h2: u64 = 0, h3: u64 = 0, h4: u64 = 0;
let pad0: u64 = 0, pad1: u64 = 0;
let tag0: u64 = 0, tag1: u64 = 0;

// @ts-ignore: decorator
@inline function rotl12(x: v128): v128 {
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20));
}
// @ts-ignore: decorator
@inline function rotl7(x: v128): v128 {
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25));
}

macro HALF_ROUND(a0, b0, c0, d0, a1, b1, c1, d1, a2, b2, c2, d2, a3, b3, c3, d3, mask, right) {
  a0 = i32x4.add(a0, b0); d0 = i8x16.relaxed_swizzle(v128.xor(d0, a0), mask);
  a1 = i32x4.add(a1, b1); d1 = i8x16.relaxed_swizzle(v128.xor(d1, a1), mask);
  a2 = i32x4.add(a2, b2); d2 = i8x16.relaxed_swizzle(v128.xor(d2, a2), mask);
  a3 = i32x4.add(a3, b3); d3 = i8x16.relaxed_swizzle(v128.xor(d3, a3), mask);
  c0 = i32x4.add(c0, d0); b0 = right(v128.xor(b0, c0));
  c1 = i32x4.add(c1, d1); b1 = right(v128.xor(b1, c1));
  c2 = i32x4.add(c2, d2); b2 = right(v128.xor(b2, c2));
  c3 = i32x4.add(c3, d3); b3 = right(v128.xor(b3, c3));
}

macro INITIALIZE(p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15, first) {
  let p0 = i32x4.splat(0x61707865);
  let p1 = i32x4.splat(0x3320646e);
  let p2 = i32x4.splat(0x79622d32);
  let p3 = i32x4.splat(0x6b206574);
  let p4 = v128.load32_splat(key, 0);
  let p5 = v128.load32_splat(key, 4);
  let p6 = v128.load32_splat(key, 8);
  let p7 = v128.load32_splat(key, 12);
  let p8 = v128.load32_splat(key, 16);
  let p9 = v128.load32_splat(key, 20);
  let p10 = v128.load32_splat(key, 24);
  let p11 = v128.load32_splat(key, 28);
  let p12 = i32x4.add(i32x4.splat(first), i32x4(0, 1, 2, 3));
  let p13 = i32x4.splat(n0);
  let p14 = i32x4.splat(n1);
  let p15 = i32x4.splat(n2);
}

/** XORs words offset / 4 .. offset / 4 + 3 of four blocks into memory: a 4 by 4 transposition. */
macro XOR_WORDS(a, b, c, d, base, offset) {
  t0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  t1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  t2 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  t3 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  a = v128.shuffle<i64>(t0, t2, 0, 2);
  b = v128.shuffle<i64>(t0, t2, 1, 3);
  c = v128.shuffle<i64>(t1, t3, 0, 2);
  d = v128.shuffle<i64>(t1, t3, 1, 3);
  v128.store(at, v128.xor(v128.load(at, base + offset), a), base + offset);
  v128.store(at, v128.xor(v128.load(at, base + offset + 64), b), base + offset + 64);
  v128.store(at, v128.xor(v128.load(at, base + offset + 128), c), base + offset + 128);
  v128.store(at, v128.xor(v128.load(at, base + offset + 192), d), base + offset + 192);
}

/** Adds the initial state and XORs 256 bytes at `at + base`. */
macro XOR_BLOCKS(p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15, first, base) {
  p0 = i32x4.add(p0, i32x4.splat(0x61707865));
  p1 = i32x4.add(p1, i32x4.splat(0x3320646e));
  p2 = i32x4.add(p2, i32x4.splat(0x79622d32));
  p3 = i32x4.add(p3, i32x4.splat(0x6b206574));
  XOR_WORDS!(p0, p1, p2, p3, base, 0)
  p4 = i32x4.add(p4, v128.load32_splat(key, 0));
  p5 = i32x4.add(p5, v128.load32_splat(key, 4));
  p6 = i32x4.add(p6, v128.load32_splat(key, 8));
  p7 = i32x4.add(p7, v128.load32_splat(key, 12));
  XOR_WORDS!(p4, p5, p6, p7, base, 16)
  p8 = i32x4.add(p8, v128.load32_splat(key, 16));
  p9 = i32x4.add(p9, v128.load32_splat(key, 20));
  p10 = i32x4.add(p10, v128.load32_splat(key, 24));
  p11 = i32x4.add(p11, v128.load32_splat(key, 28));
  XOR_WORDS!(p8, p9, p10, p11, base, 32)
  p12 = i32x4.add(p12, i32x4.add(i32x4.splat(first), i32x4(0, 1, 2, 3)));
  p13 = i32x4.add(p13, i32x4.splat(n0));
  p14 = i32x4.add(p14, i32x4.splat(n1));
  p15 = i32x4.add(p15, i32x4.splat(n2));
  XOR_WORDS!(p12, p13, p14, p15, base, 48)
}

/** XORs 256 bytes at `at` with the keystream blocks `counter` .. `counter + 3`. */
function xorBlocks4(key: usize, counter: u32, n0: u32, n1: u32, n2: u32, at: usize): void {
  const m16 = v128.load(MASK_16), m8 = v128.load(MASK_8);
  let t0: v128, t1: v128, t2: v128, t3: v128;
  INITIALIZE!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, counter)
  for (let round = 0; round < 20; round += 2) {
    HALF_ROUND!(x0, x4, x8, x12, x1, x5, x9, x13, x2, x6, x10, x14, x3, x7, x11, x15, m16, rotl12)
    HALF_ROUND!(x0, x4, x8, x12, x1, x5, x9, x13, x2, x6, x10, x14, x3, x7, x11, x15, m8, rotl7)
    HALF_ROUND!(x0, x5, x10, x15, x1, x6, x11, x12, x2, x7, x8, x13, x3, x4, x9, x14, m16, rotl12)
    HALF_ROUND!(x0, x5, x10, x15, x1, x6, x11, x12, x2, x7, x8, x13, x3, x4, x9, x14, m8, rotl7)
  }
  XOR_BLOCKS!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, counter, 0)
}

/** XORs 512 bytes at `at` with the keystream blocks `counter` .. `counter + 7`. */
function xorBlocks8(key: usize, counter: u32, n0: u32, n1: u32, n2: u32, at: usize): void {
  const m16 = v128.load(MASK_16), m8 = v128.load(MASK_8);
  let t0: v128, t1: v128, t2: v128, t3: v128;
  INITIALIZE!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, counter)
  INITIALIZE!(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, counter + 4)
  for (let round = 0; round < 20; round += 2) {
    HALF_ROUND!(x0, x4, x8, x12, x1, x5, x9, x13, x2, x6, x10, x14, x3, x7, x11, x15, m16, rotl12)
    HALF_ROUND!(y0, y4, y8, y12, y1, y5, y9, y13, y2, y6, y10, y14, y3, y7, y11, y15, m16, rotl12)
    HALF_ROUND!(x0, x4, x8, x12, x1, x5, x9, x13, x2, x6, x10, x14, x3, x7, x11, x15, m8, rotl7)
    HALF_ROUND!(y0, y4, y8, y12, y1, y5, y9, y13, y2, y6, y10, y14, y3, y7, y11, y15, m8, rotl7)
    HALF_ROUND!(x0, x5, x10, x15, x1, x6, x11, x12, x2, x7, x8, x13, x3, x4, x9, x14, m16, rotl12)
    HALF_ROUND!(y0, y5, y10, y15, y1, y6, y11, y12, y2, y7, y8, y13, y3, y4, y9, y14, m16, rotl12)
    HALF_ROUND!(x0, x5, x10, x15, x1, x6, x11, x12, x2, x7, x8, x13, x3, x4, x9, x14, m8, rotl7)
    HALF_ROUND!(y0, y5, y10, y15, y1, y6, y11, y12, y2, y7, y8, y13, y3, y4, y9, y14, m8, rotl7)
  }
  XOR_BLOCKS!(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, counter, 0)
  XOR_BLOCKS!(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, counter + 4, 256)
}

/** 0xff in the first `count` lanes, 0 in the rest; 0 <= count <= 16. */
// @ts-ignore: decorator
@inline function firstBytes(count: u32): v128 {
  const lanes = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return i8x16.lt_u(lanes, i8x16.splat(<i8>count));
}

/**
 * XORs `length` bytes at `at` with KEYSTREAM from byte `from` on. Touches up to 15 bytes behind the
 * end without changing them: there is always room for a tag.
 */
function xorKeystream(at: usize, length: u32, from: usize): void {
  let source = KEYSTREAM + from;
  while (length >= 16) {
    v128.store(at, v128.xor(v128.load(at), v128.load(source)));
    at += 16;
    source += 16;
    length -= 16;
  }
  if (length > 0) {
    const stream = v128.and(v128.load(source), firstBytes(length));
    v128.store(at, v128.xor(v128.load(at), stream));
  }
}

/** Fills KEYSTREAM for {@linkcode crypt} and takes the Poly1305 key from block 0. */
function begin(key: usize, n0: u32, n1: u32, n2: u32, length: u32): void {
  if (length <= SHORT) xorBlocks4(key, 0, n0, n1, n2, KEYSTREAM);
  else xorBlocks8(key, 0, n0, n1, n2, KEYSTREAM);
  const low = load<u64>(KEYSTREAM) & CLAMP_0;
  const high = load<u64>(KEYSTREAM, 8) & CLAMP_1;
  r0 = low & LOW;
  r1 = low >> 32;
  r2 = high & LOW;
  r3 = high >> 32;
  pad0 = load<u64>(KEYSTREAM, 16);
  pad1 = load<u64>(KEYSTREAM, 24);
  h0 = 0;
  h1 = 0;
  h2 = 0;
  h3 = 0;
  h4 = 0;
}

/** Encrypts or decrypts `length` bytes: first with what {@linkcode begin} made, from block 1 on. */
function crypt(key: usize, n0: u32, n1: u32, n2: u32, at: usize, length: u32): void {
  if (length <= 448) {
    xorKeystream(at, length, 64);
    return;
  }
  xorKeystream(at, 448, 64);
  at += 448;
  length -= 448;
  let counter: u32 = 8;
  while (length >= 512) {
    xorBlocks8(key, counter, n0, n1, n2, at);
    counter += 8;
    at += 512;
    length -= 512;
  }
  if (length == 0) return;
  clearKeystream();
  if (length <= 256) xorBlocks4(key, counter, n0, n1, n2, KEYSTREAM);
  else xorBlocks8(key, counter, n0, n1, n2, KEYSTREAM);
  xorKeystream(at, length, 0);
}

function clearKeystream(): void {
  const zero = i64x2.splat(0);
  for (let at: usize = KEYSTREAM; at < KEYSTREAM + 512; at += 64) {
    v128.store(at, zero, 0);
    v128.store(at, zero, 16);
    v128.store(at, zero, 32);
    v128.store(at, zero, 48);
  }
}

/** Leaves nothing of this operation's keys behind. */
function end(): void {
  clearKeystream();
  r0 = 0;
  r1 = 0;
  r2 = 0;
  r3 = 0;
  pad0 = 0;
  pad1 = 0;
}

/**
 * One block: h = (h + block + 2^128) * r mod 2^130 - 5, carried by one limb only.
 *
 * Bounds: limbs of r are below 2^28, s1..s3 (5/4 of them) below 1.25 * 2^28. With a0 < 3.25 * 2^32
 * and a1..a3 < 3 * 2^32 every sum is below (3.25 + 3 * 3.75) * 2^60 + 2^32 < 2^64, the carries are
 * below 2^32, and the new limbs plus 32 message bits are within the bounds again.
 */
macro ABSORB(low, high) {
  a0 = g0 + ((low) & LOW);
  a1 = g1 + ((low) >> 32);
  a2 = g2 + ((high) & LOW);
  a3 = g3 + ((high) >> 32);
  a4 = g4 + 1;
  m3 = a0 * k3 + a1 * k2 + a2 * k1 + a3 * k0 + a4 * s3;
  m0 = a0 * k0 + a1 * s3 + a2 * s2 + a3 * s1 + a4 * s0;
  m1 = a0 * k1 + a1 * k0 + a2 * s3 + a3 * s2 + a4 * s1;
  m2 = a0 * k2 + a1 * k1 + a2 * k0 + a3 * s3 + a4 * s2;
  a4 = a4 * (k0 & 3) + (m3 >> 32);
  g0 = (m0 & LOW) + (a4 >> 2) * 5;
  g1 = (m1 & LOW) + (m0 >> 32);
  g2 = (m2 & LOW) + (m1 >> 32);
  g3 = (m3 & LOW) + (m2 >> 32);
  g4 = a4 & 3;
}

macro LOAD_STATE() {
  const k0 = r0, k1 = r1, k2 = r2, k3 = r3;
  const s0 = (k0 >> 2) * 5, s1 = (k1 >> 2) * 5, s2 = (k2 >> 2) * 5, s3 = (k3 >> 2) * 5;
  let g0 = h0, g1 = h1, g2 = h2, g3 = h3, g4 = h4;
  let a0: u64, a1: u64, a2: u64, a3: u64, a4: u64, m0: u64, m1: u64, m2: u64, m3: u64;
}

macro STORE_STATE() {
  h0 = g0;
  h1 = g1;
  h2 = g2;
  h3 = g3;
  h4 = g4;
}

/** Absorbs `length` bytes at `at`, padded with zeros to whole blocks. */
function absorb(at: usize, length: u32): void {
  LOAD_STATE!()
  let low: u64, high: u64;
  while (length >= 16) {
    low = load<u64>(at);
    high = load<u64>(at, 8);
    ABSORB!(low, high)
    at += 16;
    length -= 16;
  }
  if (length > 0) {
    const last = v128.and(v128.load(at), firstBytes(length));
    low = i64x2.extract_lane(last, 0);
    high = i64x2.extract_lane(last, 1);
    ABSORB!(low, high)
  }
  STORE_STATE!()
}

/** Absorbs the 56 bytes a packet authenticates of its header, padded to 64 (`wire.md` 5). */
function absorbHeader(packet: usize): void {
  LOAD_STATE!()
  let low: u64, high: u64;
  low = load<u64>(packet) & WITHOUT_HOP_COUNT;
  high = <u64>load<u32>(packet, 8) | (<u64>load<u32>(packet, 24) << 32);
  ABSORB!(low, high)
  low = load<u64>(packet, 28);
  high = load<u64>(packet, 36);
  ABSORB!(low, high)
  low = load<u64>(packet, 44);
  high = load<u64>(packet, 52);
  ABSORB!(low, high)
  low = load<u64>(packet, 60);
  high = 0;
  ABSORB!(low, high)
  STORE_STATE!()
}

/** Absorbs the lengths, reduces fully and adds the pad: the tag is in tag0, tag1. */
function finish(aadLength: u64, length: u64): void {
  LOAD_STATE!()
  ABSORB!(aadLength, length)
  a0 = g0;
  a1 = g1 + (a0 >> 32);
  a2 = g2 + (a1 >> 32);
  a3 = g3 + (a2 >> 32);
  a4 = g4 + (a3 >> 32);
  // a4 is below 8 now; fold everything from bit 130 on back in.
  a0 = (a0 & LOW) + (a4 >> 2) * 5;
  a1 = (a1 & LOW) + (a0 >> 32);
  a2 = (a2 & LOW) + (a1 >> 32);
  a3 = (a3 & LOW) + (a2 >> 32);
  a4 = (a4 & 3) + (a3 >> 32);
  // h >= p exactly when h + 5 reaches bit 130, and then h - p = h + 5 mod 2^130.
  m0 = (a0 & LOW) + 5;
  m1 = (a1 & LOW) + (m0 >> 32);
  m2 = (a2 & LOW) + (m1 >> 32);
  m3 = (a3 & LOW) + (m2 >> 32);
  m0 = (a0 & LOW) + (((m3 >> 32) + a4) >> 2) * 5 + (pad0 & LOW);
  m1 = (a1 & LOW) + (pad0 >> 32) + (m0 >> 32);
  m2 = (a2 & LOW) + (pad1 & LOW) + (m1 >> 32);
  m3 = (a3 & LOW) + (pad1 >> 32) + (m2 >> 32);
  tag0 = (m0 & LOW) | (m1 << 32);
  tag1 = (m2 & LOW) | (m3 << 32);
}

/** Encrypts the payload of a packet in place and writes the tag behind it. */
export function sealPacket(key: usize, packet: usize, length: u32): void {
  const n0 = load<u32>(packet, NONCE);
  const n1 = load<u32>(packet, NONCE + 4);
  const n2 = load<u32>(packet, NONCE + 8);
  const payload = packet + HEADER;
  begin(key, n0, n1, n2, length);
  crypt(key, n0, n1, n2, payload, length);
  absorbHeader(packet);
  absorb(payload, length);
  finish(AAD_LENGTH, length);
  store<u64>(payload + length, tag0);
  store<u64>(payload + length, tag1, 8);
  end();
}

/** Verifies a packet, then decrypts it in place; 0 leaves it as it was. */
export function openPacket(key: usize, packet: usize, length: u32, prefix: u32): u32 {
  const n1 = load<u32>(packet, NONCE + 4);
  const n2 = load<u32>(packet, NONCE + 8);
  const payload = packet + HEADER;
  begin(key, prefix, n1, n2, length);
  absorbHeader(packet);
  absorb(payload, length);
  finish(AAD_LENGTH, length);
  const difference = (load<u64>(payload + length) ^ tag0) | (load<u64>(payload + length, 8) ^ tag1);
  tag0 = 0;
  tag1 = 0;
  if (difference == 0) crypt(key, prefix, n1, n2, payload, length);
  end();
  return difference == 0 ? 1 : 0;
}

/** Encrypts `length` bytes at `at` in place; the tag goes behind them. */
export function seal(
  key: usize,
  nonce: usize,
  aad: usize,
  aadLength: u32,
  at: usize,
  length: u32,
): void {
  const n0 = load<u32>(nonce);
  const n1 = load<u32>(nonce, 4);
  const n2 = load<u32>(nonce, 8);
  begin(key, n0, n1, n2, length);
  crypt(key, n0, n1, n2, at, length);
  absorb(aad, aadLength);
  absorb(at, length);
  finish(aadLength, length);
  store<u64>(at + length, tag0);
  store<u64>(at + length, tag1, 8);
  end();
}

/** Verifies `length` bytes at `at` and the tag behind them, then decrypts; 0 changes nothing. */
export function open(
  key: usize,
  nonce: usize,
  aad: usize,
  aadLength: u32,
  at: usize,
  length: u32,
): u32 {
  const n0 = load<u32>(nonce);
  const n1 = load<u32>(nonce, 4);
  const n2 = load<u32>(nonce, 8);
  begin(key, n0, n1, n2, length);
  absorb(aad, aadLength);
  absorb(at, length);
  finish(aadLength, length);
  const difference = (load<u64>(at + length) ^ tag0) | (load<u64>(at + length, 8) ^ tag1);
  tag0 = 0;
  tag1 = 0;
  if (difference == 0) crypt(key, n0, n1, n2, at, length);
  end();
  return difference == 0 ? 1 : 0;
}
