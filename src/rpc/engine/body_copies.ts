/**
 * Copies of bodies that were lent for a moment. Short ones are cut from a shared block, as a buffer of its own costs
 * many times what the copy does; each has its own part, and keeps its block alive.
 */

/** Bytes of a block: what a program that keeps one short body may keep with it. */
const BLOCK_BYTES = 8_192;
/** Longest body that is cut from one. */
const SHORT_BYTES_MAX = 512;

/** Copies bodies. */
export class BodyCopies {
  #block = new Uint8Array(0);
  #at = 0;

  /** The same bytes, for good. */
  copy(body: Uint8Array): Uint8Array {
    const { length } = body;
    if (length > SHORT_BYTES_MAX) return body.slice();
    if (this.#at + length > this.#block.length) {
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#at = 0;
    }
    const copy = this.#block.subarray(this.#at, this.#at + length);
    copy.set(body);
    this.#at += length;
    return copy;
  }
}
