/** Makes hostile inputs out of valid ones. */

import type { FuzzRandom } from "./fuzz_random.ts";

/** Values that sit at edges of fields. */
const EDGES = [
  0,
  1,
  2,
  0x7f,
  0x80,
  0xff,
  0x7fff,
  0x8000,
  0xffff,
  0x7fffffff,
  0x80000000,
  0xffffffff,
];
/** Longest input that is made up from nothing. */
const RANDOM_BYTES_MAX = 300;
const INPUT_BYTES_MAX = 70_000;

/**
 * Draws one input: a valid one, one with a few changes, a cut or stretched one, two spliced together, or
 * plain noise.
 *
 * @param corpus Valid inputs; never changed.
 */
export function drawInput(
  corpus: readonly Uint8Array[],
  random: FuzzRandom,
): Uint8Array<ArrayBuffer> {
  const kind = random.below(16);
  if (kind === 0) return random.bytes(random.below(RANDOM_BYTES_MAX));
  const valid = random.pick(corpus);
  if (kind === 1) return valid.slice();
  if (kind === 2) return random.bytes(valid.length);
  if (kind === 3) return valid.slice(0, random.below(valid.length + 1));
  let bytes = kind === 4 ? splice(valid, random.pick(corpus), random) : valid.slice();
  for (let changes = 1 + random.below(4); changes > 0; changes--) bytes = change(bytes, random);
  return bytes;
}

function change(
  bytes: Uint8Array<ArrayBuffer>,
  random: FuzzRandom,
): Uint8Array<ArrayBuffer> {
  const { length } = bytes;
  const at = random.below(length);
  switch (random.below(9)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 1:
      bytes[at] = random.u32();
      return bytes;
    case 2:
      return setField(bytes, at, random.pick(EDGES), random);
    case 3:
      // A length that is off by a little.
      return setField(bytes, at, length - 4 + random.below(9), random);
    case 4:
      return bytes.slice(0, at);
    case 5: {
      const more = random.below(32);
      return insert(bytes, length, random.bytes(more));
    }
    case 6:
      return insert(bytes, at, random.bytes(1 + random.below(8)));
    case 7: {
      const end = at + 1 + random.below(8);
      return insert(bytes.slice(0, at), at, bytes.subarray(end));
    }
    default: {
      // A part of it comes twice.
      const part = bytes.slice(at, at + 1 + random.below(64));
      return insert(bytes, random.below(length + 1), part);
    }
  }
}

/** Writes a number of 1, 2, 4 or 8 bytes, whichever end first. */
function setField(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  value: number,
  random: FuzzRandom,
): Uint8Array<ArrayBuffer> {
  const size = 1 << random.below(4);
  if (at + size > bytes.length) return bytes;
  const isLittle = random.below(4) !== 0;
  for (let i = 0; i < size; i++) {
    const byte = i < 4 ? value >>> (8 * i) : value === 0xffffffff ? 0xff : 0;
    bytes[isLittle ? at + i : at + size - 1 - i] = byte;
  }
  return bytes;
}

function insert(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  part: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (bytes.length + part.length > INPUT_BYTES_MAX) return bytes;
  const longer = new Uint8Array(bytes.length + part.length);
  longer.set(bytes.subarray(0, at));
  longer.set(part, at);
  longer.set(bytes.subarray(at), at + part.length);
  return longer;
}

function splice(left: Uint8Array, right: Uint8Array, random: FuzzRandom): Uint8Array<ArrayBuffer> {
  const head = left.slice(0, random.below(left.length + 1));
  return insert(head, head.length, right.subarray(random.below(right.length + 1)));
}
