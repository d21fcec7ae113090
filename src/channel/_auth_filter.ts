/**
 * The bloom filter of the AuthGuard (`identity-and-channels.md` 12): 2^15 bits, two of them per entry.
 *
 * Beside each bit it is counted how many entries set it, so that what is removed leaves no bit behind: at any
 * time the bits are those that a filter built anew from the entries would have (promise 89).
 *
 * The hash is XXH3-64 of 17 bytes, computed here on 32-bit halves because `bigint` would allocate per packet;
 * `xxh3()` of `core/crypto` is the reference it is tested against.
 */

/** Bits of the filter, 4 KiB of them. */
const FILTER_BITS = 1 << 15;
const INDEX_MASK = FILTER_BITS - 1;
const INDEX_BITS = 15;

/** A bloom filter whose entries can be removed. */
export class AuthFilter {
  readonly #bits = new Uint32Array(FILTER_BITS / 32);
  readonly #counts = new Uint32Array(FILTER_BITS);

  /** True when an entry with these marks may be there; false when there is none. */
  has(marks: number): boolean {
    const first = marks & INDEX_MASK;
    const second = (marks >>> INDEX_BITS) & INDEX_MASK;
    const bits = this.#bits;
    return ((bits[first >>> 5] as number) >>> (first & 31) &
      (bits[second >>> 5] as number) >>> (second & 31) & 1) === 1;
  }

  /** Adds an entry's marks. */
  add(marks: number): void {
    this.#set(marks & INDEX_MASK);
    this.#set((marks >>> INDEX_BITS) & INDEX_MASK);
  }

  /** Removes the marks of an entry that was added before. */
  remove(marks: number): void {
    this.#unset(marks & INDEX_MASK);
    this.#unset((marks >>> INDEX_BITS) & INDEX_MASK);
  }

  /** How many bits are set. */
  get bitsSet(): number {
    return this.#counts.reduce((set, count) => count > 0 ? set + 1 : set, 0);
  }

  #set(index: number): void {
    this.#counts[index] = (this.#counts[index] as number) + 1;
    const word = index >>> 5;
    this.#bits[word] = (this.#bits[word] as number) | 1 << (index & 31);
  }

  #unset(index: number): void {
    const count = (this.#counts[index] as number) - 1;
    this.#counts[index] = count;
    if (count > 0) return;
    const word = index >>> 5;
    this.#bits[word] = (this.#bits[word] as number) & ~(1 << (index & 31));
  }
}

/**
 * The two 15-bit indices of an entry, packed into 30 bits: the lowest bits of XXH3-64 over principal and
 * channel hash, little-endian, and the domain byte.
 */
export function filterMarks(
  domain: number,
  principalLow: number,
  principalHigh: number,
  hashLow: number,
  hashHigh: number,
): number {
  // XXH3 of 17 to 32 bytes: the first and the last 16 bytes, each multiplied with itself under the secret,
  // are added to the length times a prime. The last 16 begin one byte after the first.
  const shiftedLow = (principalLow >>> 8) | (principalHigh << 24);
  const shiftedHigh = (principalHigh >>> 8) | (hashLow << 24);
  const tailLow = (hashLow >>> 8) | (hashHigh << 24);
  const tailHigh = (hashHigh >>> 8) | (domain << 24);

  // Secret bytes 0..16 for the first, 16..32 for the last.
  const a0 = principalLow ^ 0x396cfeb8;
  const a1 = principalHigh ^ 0xbe4ba423;
  const b0 = hashLow ^ 0x2c81017c;
  const b1 = hashHigh ^ 0x1cad21f7;
  const c0 = shiftedLow ^ 0xe96dd4de;
  const c1 = shiftedHigh ^ 0xdb979083;
  const d0 = tailLow ^ 0xa4a44072;
  const d1 = tailHigh ^ 0x1f67b3b7;

  // 17 · PRIME64_1, modulo 2^64.
  let low = LENGTH_LOW;
  let high = LENGTH_HIGH;

  let p0 = Math.imul(a0, b0);
  let middle = multiplyHigh(a0, b0);
  let left = Math.imul(a0, b1);
  let right = Math.imul(a1, b0);
  let p1 = (middle + left) | 0;
  let carry = isBelow(p1, left);
  p1 = (p1 + right) | 0;
  carry += isBelow(p1, right);
  let corner = Math.imul(a1, b1);
  let p2 = (multiplyHigh(a0, b1) + carry) | 0;
  let top = isBelow(p2, carry);
  let part = multiplyHigh(a1, b0);
  p2 = (p2 + part) | 0;
  top += isBelow(p2, part);
  p2 = (p2 + corner) | 0;
  top += isBelow(p2, corner);
  let p3 = (multiplyHigh(a1, b1) + top) | 0;
  let foldLow = p0 ^ p2;
  low = (low + foldLow) | 0;
  high = (high + (p1 ^ p3) + isBelow(low, foldLow)) | 0;

  p0 = Math.imul(c0, d0);
  middle = multiplyHigh(c0, d0);
  left = Math.imul(c0, d1);
  right = Math.imul(c1, d0);
  p1 = (middle + left) | 0;
  carry = isBelow(p1, left);
  p1 = (p1 + right) | 0;
  carry += isBelow(p1, right);
  corner = Math.imul(c1, d1);
  p2 = (multiplyHigh(c0, d1) + carry) | 0;
  top = isBelow(p2, carry);
  part = multiplyHigh(c1, d0);
  p2 = (p2 + part) | 0;
  top += isBelow(p2, part);
  p2 = (p2 + corner) | 0;
  top += isBelow(p2, corner);
  p3 = (multiplyHigh(c1, d1) + top) | 0;
  foldLow = p0 ^ p2;
  low = (low + foldLow) | 0;
  high = (high + (p1 ^ p3) + isBelow(low, foldLow)) | 0;

  // Avalanche: x ^= x >> 37, times the multiplier, x ^= x >> 32; of the result the low half is enough.
  low ^= high >>> 5;
  const productHigh = (multiplyHigh(low, MULTIPLIER_LOW) + Math.imul(low, MULTIPLIER_HIGH) +
    Math.imul(high, MULTIPLIER_LOW)) | 0;
  return (Math.imul(low, MULTIPLIER_LOW) ^ productHigh) & 0x3fff_ffff;
}

/** Halves of 17 · 0x9e3779b185ebca87 modulo 2^64. */
const LENGTH_LOW = Number((17n * 0x9e3779b185ebca87n) & 0xffff_ffffn) | 0;
const LENGTH_HIGH = Number(((17n * 0x9e3779b185ebca87n) >> 32n) & 0xffff_ffffn) | 0;
/** Halves of 0x165667919e3779f9. */
const MULTIPLIER_LOW = 0x9e3779f9 | 0;
const MULTIPLIER_HIGH = 0x16566791;

/** High half of the product of two unsigned 32-bit numbers. */
function multiplyHigh(left: number, right: number): number {
  const left0 = left & 0xffff;
  const left1 = left >>> 16;
  const right0 = right & 0xffff;
  const right1 = right >>> 16;
  // Each sum is at most (2^16 - 1)^2 + 2^16 - 1, which is below 2^32: nothing is lost to the sign.
  const first = (Math.imul(left1, right0) + (Math.imul(left0, right0) >>> 16)) | 0;
  const second = (Math.imul(left0, right1) + (first & 0xffff)) | 0;
  return (Math.imul(left1, right1) + (first >>> 16) + (second >>> 16)) | 0;
}

/** 1 when `left` is below `right` as unsigned numbers: that is the carry of a sum over one of its parts. */
function isBelow(left: number, right: number): number {
  return (left >>> 0) < (right >>> 0) ? 1 : 0;
}
