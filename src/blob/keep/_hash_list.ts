/** Hashes one behind the other, as many as come. */
import { HASH_BYTES } from "../limits.ts";

const BYTES_MIN = 64 * HASH_BYTES;

/** Hashes in the order in which they came; one that came twice is in it twice. */
export class HashList {
  #bytes = new Uint8Array(0);
  #length = 0;

  /** All of them, one behind the other: a view, valid until another is added. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Adds one, or many that lie one behind the other; copied. */
  add(hashes: Uint8Array): void {
    const length = this.#length + hashes.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length, BYTES_MIN));
      grown.set(this.bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(hashes, this.#length);
    this.#length = length;
  }

  /** A view of each. */
  toArray(): Uint8Array<ArrayBuffer>[] {
    const count = this.#length / HASH_BYTES;
    return Array.from(
      { length: count },
      (_, i) => this.#bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
    );
  }
}
