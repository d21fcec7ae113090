/**
 * Products in the field of 256 elements, added up over blocks of bytes: the work of Reed-Solomon codes
 * (`dataforts.md` 6).
 *
 * A product of a byte with a constant is the sum of the products of its halves, and each half has only 16
 * values: two table look-ups for 16 bytes at a time. The host writes the tables.
 */

/** For every constant: its products with 0..15, then with 0, 16, .. 240. */
const PRODUCTS: usize = 1024;

macro LOAD_TABLES(index, low, high) {
  table = PRODUCTS + (<usize>load<u8>(constants + index) << 5);
  const low = v128.load(table);
  const high = v128.load(table, 16);
}

macro ADD(place, low, high) {
  v128.store(place, v128.xor(v128.load(place), v128.xor(
    i8x16.relaxed_swizzle(low, lowHalves),
    i8x16.relaxed_swizzle(high, highHalves),
  )));
}

/**
 * Adds the products of `length` bytes with each of `count` constants to as many outputs, `stride` bytes
 * apart. The length is rounded up to 16.
 */
export function addProducts(
  input: usize,
  length: usize,
  outputs: usize,
  stride: usize,
  constants: usize,
  count: usize,
): void {
  const mask = i8x16.splat(15);
  let table: usize;
  let done: usize = 0;
  for (; done + 4 <= count; done += 4) {
    LOAD_TABLES!(done, low0, high0)
    LOAD_TABLES!(done + 1, low1, high1)
    LOAD_TABLES!(done + 2, low2, high2)
    LOAD_TABLES!(done + 3, low3, high3)
    let first = outputs + done * stride;
    let second = first + stride;
    let third = second + stride;
    let fourth = third + stride;
    for (let at: usize = 0; at < length; at += 16) {
      const bytes = v128.load(input + at);
      const lowHalves = v128.and(bytes, mask);
      const highHalves = v128.and(i16x8.shr_u(bytes, 4), mask);
      ADD!(first + at, low0, high0)
      ADD!(second + at, low1, high1)
      ADD!(third + at, low2, high2)
      ADD!(fourth + at, low3, high3)
    }
  }
  for (; done < count; done++) {
    LOAD_TABLES!(done, low, high)
    const output = outputs + done * stride;
    for (let at: usize = 0; at < length; at += 16) {
      const bytes = v128.load(input + at);
      const lowHalves = v128.and(bytes, mask);
      const highHalves = v128.and(i16x8.shr_u(bytes, 4), mask);
      ADD!(output + at, low, high)
    }
  }
}
