/**
 * The rolling hash of FastCDC 2020, two bytes a step (`dataforts.md` 4): finds where a chunk ends.
 *
 * The host writes both tables; bytes are scanned where the host put them, behind the tables.
 */

/** 256 words of 64 bits, and the same shifted left by one. */
const GEAR: usize = 1024;
const SHIFTED: usize = 3072;

/** The hash so far; scanning goes on from it. The host keeps it between calls and puts it back. */
const ROLLING: usize = 512;

macro PAIR(offset) {
  hash = (hash << 2) + load<u64>(SHIFTED + (<usize>load<u8>(at, offset) << 3));
  first = hash & shifted;
  hash += load<u64>(GEAR + (<usize>load<u8>(at, offset + 1) << 3));
  if (first == 0) return at + offset;
  if ((hash & mask) == 0) return at + offset + 1;
}

/**
 * Scans the bytes from `at` to `end`, an even number of them, and returns where the next chunk begins; 0
 * when nowhere among them. After a find the hash is spent.
 */
export function scan(at: usize, end: usize, maskLow: u32, maskHigh: u32): usize {
  const mask = (<u64>maskHigh << 32) | <u64>maskLow;
  const shifted = mask << 1;
  let hash = load<u64>(ROLLING);
  let first: u64;
  while (at + 8 <= end) {
    PAIR!(0)
    PAIR!(2)
    PAIR!(4)
    PAIR!(6)
    at += 8;
  }
  while (at < end) {
    PAIR!(0)
    at += 2;
  }
  store<u64>(ROLLING, hash);
  return 0;
}
