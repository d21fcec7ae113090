/**
 * A small answer to "is this tag in the set?" that is sometimes wrong with yes and never with no
 * (`capabilities.md` 10). Whoever gets a yes confirms it with an exact lookup.
 *
 * On the wire: postcard of bits, hashes per entry, and the words of 64 bits.
 */
import { PostcardReader, PostcardWriter } from "../../../base/mod.ts";
import { xxh3Wide } from "../../crypto/mod.ts";
import { BLOOM_BITS_MAX } from "../limits.ts";

/** Keeps these hashes apart from all others of the same kind. */
const SEED = 0xb100_f1ac_dead_cafen;
const HASHES_MAX = 32;
const WORD_BITS = 64;
const RATE_MIN = 1e-9;
const RATE_MAX = 0.5;
const MASK_64 = (1n << 64n) - 1n;

/** Why bytes are no filter. */
export type BloomFault = "malformed" | "bad_hashes" | "bad_length";

/** What {@linkcode decodeBloomFilter} found. */
export type DecodedBloomFilter =
  | { readonly ok: true; readonly filter: BloomFilter }
  | { readonly ok: false; readonly fault: BloomFault };

/** A filter in memory; entries can be added and not taken away. */
export class BloomFilter {
  readonly #words: BigUint64Array;
  readonly #hashes: number;

  /**
   * @param words The bits, lowest first.
   * @param hashes Bits per entry, 1 to 32.
   */
  constructor(words: BigUint64Array, hashes: number) {
    this.#words = words;
    this.#hashes = hashes;
  }

  /** Bits in all, a multiple of 64. */
  get bits(): number {
    return this.#words.length * WORD_BITS;
  }

  /** Bits per entry. */
  get hashes(): number {
    return this.#hashes;
  }

  /** Adds an entry, a text or its UTF-8 bytes. */
  add(entry: Uint8Array | string): void {
    for (const place of this.#places(entry)) {
      const at = place >>> 6;
      this.#words[at] = (this.#words[at] ?? 0n) | (1n << BigInt(place & 63));
    }
  }

  /** False when the entry was never added; true when it was, and sometimes when it was not. */
  mayHave(entry: Uint8Array | string): boolean {
    for (const place of this.#places(entry)) {
      if ((((this.#words[place >>> 6] ?? 0n) >> BigInt(place & 63)) & 1n) === 0n) return false;
    }
    return true;
  }

  /** Bytes to send. */
  encode(): Uint8Array<ArrayBuffer> {
    const writer = new PostcardWriter(10 * this.#words.length + 16)
      .varint(this.bits).varint(this.#hashes).varint(this.#words.length);
    for (const word of this.#words) writer.varint(word);
    return writer.finish();
  }

  *#places(entry: Uint8Array | string): Generator<number> {
    const { low, high } = xxh3Wide(entry, SEED);
    // An odd step meets every bit before it comes back, also when the number of bits is a power of two.
    const step = high | 1n;
    const bits = BigInt(this.bits);
    for (let i = 0, at = low; i < this.#hashes; i++, at = (at + step) & MASK_64) {
      yield Number(at % bits);
    }
  }
}

/**
 * An empty filter.
 *
 * @param entries How many it is made for; 0 counts as 1.
 * @param falseRate Share of wrong answers it may give when full, brought into 1e-9..0.5.
 * @throws RangeError when that takes more than 500 KiB, or a number is none.
 *
 * @example
 * ```ts
 * import { createBloomFilter } from "./bloom_filter.ts";
 * const filter = createBloomFilter(10_000, 0.01);
 * filter.add("causal:00000000000000ff");
 * console.assert(filter.mayHave("causal:00000000000000ff") && filter.bits / 8 < 12_000);
 * ```
 */
export function createBloomFilter(entries: number, falseRate: number): BloomFilter {
  if (!Number.isSafeInteger(entries) || entries < 0 || Number.isNaN(falseRate)) {
    throw new RangeError(`Cannot create filter: entries is ${entries}, rate is ${falseRate}`);
  }
  const count = Math.max(1, entries);
  const rate = Math.min(RATE_MAX, Math.max(RATE_MIN, falseRate));
  const needed = Math.ceil(-count * Math.log(rate) / (Math.LN2 * Math.LN2));
  const words = Math.ceil(needed / WORD_BITS);
  if (words * WORD_BITS > BLOOM_BITS_MAX) {
    throw new RangeError(
      `Cannot create filter: it takes ${words * WORD_BITS} bits, must be at most ${BLOOM_BITS_MAX}`,
    );
  }
  const hashes = Math.round(words * WORD_BITS / count * Math.LN2);
  return new BloomFilter(
    new BigUint64Array(words),
    Math.min(HASHES_MAX, Math.max(1, hashes)),
  );
}

/** Reads a filter; never throws. */
export function decodeBloomFilter(bytes: Uint8Array): DecodedBloomFilter {
  const reader = new PostcardReader(bytes);
  const bits = reader.u64();
  const hashes = reader.u32();
  const count = reader.count(1);
  if (reader.failure !== undefined) return { ok: false, fault: "malformed" };
  if (hashes < 1 || hashes > HASHES_MAX) return { ok: false, fault: "bad_hashes" };
  if (bits !== BigInt(count * WORD_BITS) || count === 0 || bits > BLOOM_BITS_MAX) {
    return { ok: false, fault: "bad_length" };
  }
  const words = BigUint64Array.from({ length: count }, () => reader.u64());
  if (reader.failure !== undefined) return { ok: false, fault: "malformed" };
  return { ok: true, filter: new BloomFilter(words, hashes) };
}
