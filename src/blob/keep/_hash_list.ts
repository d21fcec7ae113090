/** Hashes one behind the other, as many as come, some of them marked; in parts, so that none of them is ever moved. */
import { HASH_BYTES } from "../limits.ts";

const PART_HASHES = 1_024;

/** Hashes in the order in which they came; one that came twice is in it twice. */
export class HashList {
  readonly #parts: Uint8Array<ArrayBuffer>[] = [];
  readonly #marks: Uint8Array<ArrayBuffer>[] = [];
  #length = 0;

  /** Adds one, or many that lie one behind the other; copied. The number of the first, counted from 0. */
  add(hashes: Uint8Array): number {
    const first = this.#length;
    for (let at = 0; at < hashes.length;) {
      const place = this.#length % PART_HASHES;
      if (place === 0) {
        this.#parts.push(new Uint8Array(PART_HASHES * HASH_BYTES));
        this.#marks.push(new Uint8Array(PART_HASHES));
      }
      const some = hashes.subarray(at, at + (PART_HASHES - place) * HASH_BYTES);
      this.#parts.at(-1)?.set(some, place * HASH_BYTES);
      this.#length += some.length / HASH_BYTES;
      at += some.length;
    }
    return first;
  }

  /** Marks a hash by its number. */
  mark(number: number): void {
    const marks = this.#marks[Math.floor(number / PART_HASHES)];
    if (marks !== undefined) marks[number % PART_HASHES] = 1;
  }

  /** All of them in parts: views of hashes that lie one behind the other. */
  *parts(): Generator<Uint8Array<ArrayBuffer>> {
    let left = this.#length * HASH_BYTES;
    for (const part of this.#parts) {
      yield part.subarray(0, left);
      left -= part.length;
    }
  }

  /** A view of each that is marked. */
  marked(): Uint8Array<ArrayBuffer>[] {
    const found: Uint8Array<ArrayBuffer>[] = [];
    for (const [i, marks] of this.#marks.entries()) {
      for (let at = marks.indexOf(1); at >= 0; at = marks.indexOf(1, at + 1)) {
        found.push(this.#parts[i]?.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES) ?? marks);
      }
    }
    return found;
  }
}
