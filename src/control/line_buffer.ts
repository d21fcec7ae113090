/**
 * Cuts a byte stream into lines (`validation.md` 2): `\n` ends one, a trailing `\r` is dropped.
 *
 * Pure and small: 2 KiB per quiet connection, growing only while a longer line arrives and never
 * beyond the longest line allowed plus its ending.
 */
import type { ByteBudget } from "./byte_budget.ts";

const START_BYTES = 2048;

/** A connection that fills its buffer reads in steps of up to this size. */
const BUSY_BYTES = 64 * 1024;

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Buffer of one connection's unread input. */
export class LineBuffer {
  readonly #lineBytesMax: number;
  #bytes = new Uint8Array(START_BYTES);
  #start = 0;
  #end = 0;
  /** Bytes of the current line already searched for its end. */
  #searched = 0;
  /** Size of the last read. */
  #readBytes = 0;
  #isStarved = false;
  readonly #budget: ByteBudget | undefined;

  /**
   * @param lineBytesMax Longest line in bytes, its ending not counted.
   * @param budget What all buffers of a kind may take beyond their first 2 KiB; no bound when left out.
   */
  constructor(lineBytesMax: number, budget?: ByteBudget) {
    this.#lineBytesMax = lineBytesMax;
    this.#budget = budget;
  }

  /** True when the current line fits no more, because all buffers together have what they may. */
  get isStarved(): boolean {
    return this.#isStarved;
  }

  /** Bytes that wait for the end of their line. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /** True when the current line is longer than allowed; no more may be read then. */
  get isOversized(): boolean {
    const extra = this.pendingBytes - this.#lineBytesMax;
    // One byte more may still be the "\r" of a line that fits exactly.
    return extra > 1 || (extra === 1 && this.#bytes[this.#end - 1] !== CARRIAGE_RETURN);
  }

  /** Bytes that wait, for a look at them; valid until the next `space`. */
  peek(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /**
   * Room for the next read, at least one byte unless it is starved; invalidates lines handed out before.
   */
  space(): Uint8Array<ArrayBuffer> {
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
      const isQuiet = this.#readBytes < START_BYTES || this.#bytes.length > BUSY_BYTES;
      if (isQuiet && this.#bytes.length > START_BYTES) this.#shrink();
    } else if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (this.#end === this.#bytes.length) this.#isStarved = !this.#grow();
    return this.#bytes.subarray(this.#end);
  }

  /**
   * Tells how much was read into `space`.
   *
   * @param length Bytes read.
   */
  commit(length: number): void {
    this.#end += length;
    this.#readBytes = length;
    const isFull = this.#end === this.#bytes.length;
    if (isFull && this.#bytes.length < BUSY_BYTES && this.#start === 0) this.#grow();
  }

  /**
   * The next complete line without its ending, `undefined` when there is none yet. The view is valid
   * until the next `space`.
   */
  next(): Uint8Array | undefined {
    const newline = this.#bytes.indexOf(NEWLINE, this.#start + this.#searched);
    if (newline < 0 || newline >= this.#end) {
      this.#searched = this.pendingBytes;
      return undefined;
    }
    const line = withoutReturn(this.#bytes.subarray(this.#start, newline));
    this.#start = newline + 1;
    this.#searched = 0;
    return line;
  }

  /** What is left at the end of the stream, as a line; empty when nothing is. */
  takeRest(): Uint8Array {
    const rest = withoutReturn(this.peek());
    this.#start = this.#end;
    this.#searched = 0;
    return rest;
  }

  /** Gives everything back; the buffer is not to be used any more. */
  release(): void {
    this.#start = this.#end = this.#searched = 0;
    if (this.#bytes.length > START_BYTES) this.#shrink();
  }

  #shrink(): void {
    this.#budget?.give(this.#bytes.length - START_BYTES);
    this.#bytes = new Uint8Array(START_BYTES);
  }

  /** True when there is more room now. */
  #grow(): boolean {
    // One byte for "\r", one for "\n", one to see that the line is too long.
    const limit = Math.max(this.#lineBytesMax + 3, START_BYTES);
    const size = Math.min(this.#bytes.length * 2, limit);
    const extra = size - this.#bytes.length;
    if (extra <= 0 || this.#budget?.take(extra) === false) return false;
    const grown = new Uint8Array(size);
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
    return true;
  }
}

function withoutReturn(line: Uint8Array): Uint8Array {
  return line[line.length - 1] === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}
