/**
 * The small binary codec of blob references, transfer headers and directory manifests
 * (`dataforts.md`, head of the page): fields in order, integers as LEB128 varints, bytes and texts with
 * a varint length in front.
 *
 * The reader is for bytes from the network: it never throws and never allocates more than the input
 * holds. It accepts trailing bytes and non-minimal varints; the writer always writes the minimal form.
 */

/** Why a {@linkcode PostcardReader} stopped. */
export type PostcardFailure =
  | "postcard_eof"
  | "postcard_varint"
  | "postcard_utf8"
  /** No variant has this number. */
  | "postcard_enum";

const EMPTY = new Uint8Array(0);
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
/** Texts up to here are looked at byte by byte first; their length is a varint of one byte. */
const PLAIN_TEXT_BYTES_MAX = 127;
/** One list per length, for the codes of a text while it is made; nothing is remembered in them. */
const PLAIN_CODES: number[][] = [];

/**
 * Reads values in order. After the first failure every read gives zero or nothing, so that callers may
 * look at {@linkcode PostcardReader.failure} once at the end; loops are bounded by what is left.
 *
 * @example
 * ```ts
 * import { PostcardReader, PostcardWriter } from "./postcard.ts";
 * const bytes = new PostcardWriter().u8(7).varint(300).text("abc").finish();
 * const reader = new PostcardReader(bytes);
 * console.assert(reader.u8() === 7 && reader.u32() === 300 && reader.text() === "abc");
 * console.assert(reader.failure === undefined && reader.remaining === 0);
 * ```
 */
export class PostcardReader {
  /** Halves of what {@linkcode PostcardReader.halves} read last. */
  low = 0;
  high = 0;
  #bytes: Uint8Array;
  #at: number;
  #end: number;
  #failure: PostcardFailure | undefined;

  /** @param start First byte to read. */
  constructor(bytes: Uint8Array, start = 0) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = bytes.length;
    if (start > bytes.length) this.#failure = "postcard_eof";
  }

  /**
   * Starts again with other bytes: one reader for a million short values.
   *
   * @param start First byte to read.
   * @param end Behind the last one, which is not behind the bytes.
   */
  reset(bytes: Uint8Array, start = 0, end = bytes.length): this {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#failure = start > end ? "postcard_eof" : undefined;
    return this;
  }

  /** What went wrong first; `undefined` while all is well. */
  get failure(): PostcardFailure | undefined {
    return this.#failure;
  }

  /** Bytes not read yet; 0 after a failure. */
  get remaining(): number {
    return this.#failure === undefined ? this.#end - this.#at : 0;
  }

  /** One raw byte. */
  u8(): number {
    if (this.#failure !== undefined || this.#at >= this.#end) return this.#fail("postcard_eof");
    return this.#bytes[this.#at++] ?? 0;
  }

  /** Varint of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let i = 0; i < 5; i++) {
      const byte = this.u8();
      if (this.#failure !== undefined) return 0;
      // The fifth byte carries bits 28..31 only.
      if (i === 4 && byte > 0x0f) break;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    return this.#fail("postcard_varint");
  }

  /** Varint of at most 64 bits. */
  u64(): bigint {
    this.halves();
    const { low, high } = this;
    if (high < 2 ** 21) return BigInt(high * 2 ** 32 + low);
    return (BigInt(high) << 32n) | BigInt(low);
  }

  /** Varint of at most 64 bits, as two unsigned halves: without the cost of a bigint. */
  halves(): void {
    // Bits 0..27, 28..55 and 56..63: numbers are several times as fast as bigints.
    let [low, middle, top] = [0, 0, 0];
    this.low = 0;
    this.high = 0;
    if (this.#failure !== undefined) return;
    const bytes = this.#bytes;
    const end = this.#end;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= end) {
        this.#fail("postcard_eof");
        return;
      }
      const byte = bytes[this.#at++] as number;
      // The tenth byte carries bit 63 only.
      if (i === 9 && byte > 0x01) break;
      if (i < 4) low |= (byte & 0x7f) << (7 * i);
      else if (i < 8) middle |= (byte & 0x7f) << (7 * (i - 4));
      else top |= (byte & 0x7f) << (7 * (i - 8));
      if (byte >= 0x80) continue;
      this.low = (low | (middle << 28)) >>> 0;
      this.high = ((middle >>> 4) | (top << 24)) >>> 0;
      return;
    }
    this.#fail("postcard_varint");
  }

  /** A view of `length` raw bytes. */
  bytes(length: number): Uint8Array {
    if (length > this.remaining) {
      this.#fail("postcard_eof");
      return EMPTY;
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A view of a byte vector: varint length, then the bytes. */
  byteVector(): Uint8Array {
    return this.bytes(this.count(1));
  }

  /** A UTF-8 text: varint length, then its bytes. */
  text(): string {
    const length = this.count(1);
    // Decoders cost 0.2 µs a call, whatever the length; most texts are short and plain.
    const plain = length <= PLAIN_TEXT_BYTES_MAX ? this.#plainText(length) : undefined;
    if (plain !== undefined) return plain;
    try {
      return DECODER.decode(this.bytes(length));
    } catch {
      this.#fail("postcard_utf8");
      return "";
    }
  }

  /**
   * Number of items of a list; a count that the remaining bytes cannot hold is a failure.
   *
   * @param itemBytesMin The least an item takes, at least 1.
   */
  count(itemBytesMin: number): number {
    const first = this.#at < this.#end ? this.#bytes[this.#at] as number : 0x80;
    const isShort = first < 0x80 && this.#failure === undefined;
    if (isShort) this.#at += 1;
    // Above 2^53 the number is not exact, and still more than what is left.
    const count = isShort ? first : Number(this.u64());
    return count * itemBytesMin > this.remaining ? this.#fail("postcard_eof") : count;
  }

  /**
   * A list: its length, then what `read` reads of each.
   *
   * @param itemBytesMin The least an item takes, at least 1.
   */
  list<T>(itemBytesMin: number, read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.count(itemBytesMin); left > 0 && this.#failure === undefined; left--) {
      items.push(read());
    }
    return items;
  }

  /**
   * Number of a variant.
   *
   * @param count Variants there are: 0 to `count - 1` are good.
   */
  variant(count: number): number {
    const variant = this.u32();
    return variant < count ? variant : this.#fail("postcard_enum");
  }

  /** A value that may be missing: 0, or 1 and what `read` reads. */
  option<T>(read: () => T): T | undefined {
    const tag = this.u8();
    if (tag > 1) this.#fail("postcard_enum");
    return tag === 1 ? read() : undefined;
  }

  /** 0 for false, 1 for true. */
  flag(): boolean {
    const value = this.u8();
    if (value > 1) this.#fail("postcard_enum");
    return value === 1;
  }

  /** A number of four bytes, little-endian. */
  f32(): number {
    const bytes = this.bytes(4);
    return bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  }

  /** A text of so many bytes that are there, if they are all ASCII. */
  #plainText(length: number): string | undefined {
    // A view of the bytes would cost more than all the rest: letters are spread out of a list that is used again.
    const codes = PLAIN_CODES[length] ??= Array.from({ length }, () => 0);
    for (let i = 0; i < length; i++) {
      const byte = this.#bytes[this.#at + i] as number;
      if (byte >= 0x80) return undefined;
      codes[i] = byte;
    }
    this.#at += length;
    return String.fromCharCode.apply(null, codes);
  }

  #fail(failure: PostcardFailure): 0 {
    this.#failure ??= failure;
    return 0;
  }
}

/** Writes values in order into a buffer that grows. */
export class PostcardWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** @param capacity Expected length; the buffer grows beyond it on its own. */
  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** One raw byte. */
  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  /**
   * An unsigned integer as a varint.
   *
   * @throws RangeError when it is negative, no integer, or above 64 bits.
   */
  varint(value: number | bigint): this {
    if (typeof value === "number" && value >= 0 && (value | 0) === value) return this.#small(value);
    if (typeof value === "number" && !Number.isSafeInteger(value)) {
      throw new RangeError(`Cannot encode ${value}: must be an integer below 2^53, or a bigint`);
    }
    if (value < 0 || value >= 1n << 64n) {
      throw new RangeError(`Cannot encode ${value}: must be 0..2^64-1`);
    }
    // 32 bits at a time: numbers are several times as fast as bigints.
    return typeof value === "number"
      ? this.halves(value >>> 0, Math.floor(value / 2 ** 32))
      : this.halves(Number(value & 0xffff_ffffn), Number(value >> 32n));
  }

  /** An unsigned 64-bit integer, given as two unsigned halves, as a varint. */
  halves(low: number, high: number): this {
    this.#reserve(10);
    let [rest, above] = [low, high];
    while (above > 0 || rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest = ((rest >>> 7) | (above << 25)) >>> 0;
      above >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  /** Raw bytes, without a length; copied. */
  bytes(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Varint length, then the bytes; copied. */
  byteVector(bytes: Uint8Array): this {
    return this.varint(bytes.length).bytes(bytes);
  }

  /** Varint length, then UTF-8. */
  text(text: string): this {
    const { length } = text;
    if (length > PLAIN_TEXT_BYTES_MAX) return this.byteVector(ENCODER.encode(text));
    this.#reserve(1 + length);
    const start = this.#length + 1;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return this.byteVector(ENCODER.encode(text));
      this.#bytes[start + i] = unit;
    }
    this.#bytes[this.#length] = length;
    this.#length = start + length;
    return this;
  }

  /** 0 for `undefined`; 1 and what `write` writes for a value. */
  option<T>(value: T | undefined, write: (value: T) => void): this {
    if (value === undefined) return this.u8(0);
    this.u8(1);
    write(value);
    return this;
  }

  /** 0 for false, 1 for true. */
  flag(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** A number of four bytes, little-endian. */
  f32(value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.bytes(bytes);
  }

  /** A list: its length, then what `write` writes of each. */
  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.varint(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** What was written, as an array of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** As {@linkcode PostcardWriter.finish}, and begins anew in the same buffer. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.finish();
    this.#length = 0;
    return bytes;
  }

  /** A varint of at most 31 bits. */
  #small(value: number): this {
    this.#reserve(5);
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#length++] = rest;
    return this;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
