/**
 * Finds where a chunk that is still being filled ends (`dataforts.md` 3 and 4).
 *
 * Bytes are looked at once, whatever the pieces they come in: the rolling hash stops where the bytes end
 * and goes on when there are more. The cuts are those of the whole stream at once, because every test
 * needs only the two bytes it looks at and the number of bytes before them.
 */
import { GearHash, type GearMask } from "../../core/crypto/mod.ts";
import { checkChunking, type Chunking, type ContentDefinedChunking } from "./chunking.ts";

/** Finds the end of one chunk after the other. */
export interface Cutter {
  /**
   * The length of the chunk that begins at `bytes[0]`, or 0 when it does not end within `bytes`: then
   * the next call has the same bytes and more. After a length the next chunk begins. What is left when
   * the stream ends is a chunk too; nobody asks for it.
   */
  find(bytes: Uint8Array): number;
}

/**
 * Creates a cutter.
 *
 * @throws RangeError when a parameter is out of range.
 */
export function createCutter(chunking: Chunking): Cutter {
  checkChunking(chunking);
  if (chunking.kind === "content_defined") return new ContentCutter(chunking);
  const { chunkBytes } = chunking;
  return { find: (bytes) => bytes.length >= chunkBytes ? chunkBytes : 0 };
}

/** FastCDC 2020 with normalisation level 2. */
class ContentCutter implements Cutter {
  readonly #hash = new GearHash();
  /** Whole pairs before the average are tested with the strict mask, later ones with the lax one. */
  readonly #strict: GearMask;
  readonly #lax: GearMask;
  readonly #start: number;
  readonly #centre: number;
  readonly #end: number;
  readonly #maxBytes: number;
  /** Bytes that were looked at. */
  #at: number;

  constructor({ minBytes, averageBytes, maxBytes }: ContentDefinedChunking) {
    const { strict, lax } = cutMasks(averageBytes);
    this.#strict = halves(strict);
    this.#lax = halves(lax);
    this.#start = even(minBytes);
    this.#centre = even(averageBytes);
    this.#end = even(maxBytes);
    this.#maxBytes = maxBytes;
    this.#at = this.#start;
  }

  find(bytes: Uint8Array): number {
    const end = even(Math.min(bytes.length, this.#end));
    let found = this.#roll(bytes, Math.min(end, this.#centre), this.#strict);
    if (found < 0) found = this.#roll(bytes, end, this.#lax);
    if (found < 0 && bytes.length >= this.#maxBytes) found = this.#maxBytes;
    if (found < 0) return 0;
    this.#at = this.#start;
    this.#hash.reset();
    return found;
  }

  #roll(bytes: Uint8Array, to: number, mask: GearMask): number {
    if (to <= this.#at) return -1;
    const found = this.#hash.roll(bytes, this.#at, to, mask);
    this.#at = to;
    return found;
  }
}

/** Masks of 5 to 25 bits, of the same crate as the tables; index 0 is 5 bits. */
const MASKS: readonly bigint[] = [
  0x1804110n,
  0x1803110n,
  0x18035100n,
  0x1800035300n,
  0x19000353000n,
  0x590003530000n,
  0xd90003530000n,
  0xd90103530000n,
  0xd90303530000n,
  0xd90313530000n,
  0xd90f03530000n,
  0xd90303537000n,
  0xd90703537000n,
  0xd90707537000n,
  0xd91707537000n,
  0xd91747537000n,
  0xd91767537000n,
  0xd93767537000n,
  0xd93777537000n,
  0xd93777577000n,
  0xdb3777577000n,
];
const BITS_MIN = 5;
const BITS_MAX = 25;
/** Bits more before the average, and fewer behind it: level 2. */
const NORMALISATION = 2;

/**
 * The mask of so many bits.
 *
 * @param bits 5..25.
 */
export function cutMask(bits: number): bigint {
  const mask = MASKS[bits - BITS_MIN];
  if (mask === undefined) {
    throw new RangeError(`Cannot cut: bits are ${bits}, must be ${BITS_MIN}..${BITS_MAX}`);
  }
  return mask;
}

/** The two masks of an average size in bytes. */
export function cutMasks(averageBytes: number): { readonly strict: bigint; readonly lax: bigint } {
  const bits = Math.round(Math.log2(averageBytes));
  return { strict: cutMask(bits + NORMALISATION), lax: cutMask(bits - NORMALISATION) };
}

function halves(mask: bigint): GearMask {
  return { low: Number(mask & 0xffff_ffffn), high: Number(mask >> 32n) };
}

function even(count: number): number {
  return count - count % 2;
}
