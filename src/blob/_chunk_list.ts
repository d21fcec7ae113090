/**
 * Chunks with their sizes, in order, as plain numbers: a folder has a hundred thousand of them, and as objects they
 * would take three times the memory.
 */
import type { ChunkRef } from "./blob_ref.ts";
import { HASH_BYTES } from "./limits.ts";

const CAPACITY_MIN = 64;

/** Chunks in their order. */
export class ChunkList implements Iterable<ChunkRef> {
  #hashes = new Uint8Array(CAPACITY_MIN * HASH_BYTES);
  #sizes = new Float64Array(CAPACITY_MIN);
  #length = 0;

  /** The chunks of any other order of them. */
  static from(chunks: Iterable<ChunkRef>): ChunkList {
    if (chunks instanceof ChunkList) return chunks;
    const list = new ChunkList();
    for (const chunk of chunks) list.add(chunk);
    return list;
  }

  /** How many there are. */
  get length(): number {
    return this.#length;
  }

  /** Their hashes, one behind the other: a view, valid until another is added. */
  get hashes(): Uint8Array<ArrayBuffer> {
    return this.#hashes.subarray(0, this.#length * HASH_BYTES);
  }

  /** Their sizes: a view, valid until another is added. */
  get sizes(): Float64Array<ArrayBuffer> {
    return this.#sizes.subarray(0, this.#length);
  }

  /** Adds one behind the others; copied. */
  add({ hash, size }: ChunkRef): void {
    this.addMany(hash, [size], 1);
  }

  /** Adds many, whose hashes lie one behind the other; copied. */
  addMany(hashes: Uint8Array, sizes: ArrayLike<number>, count: number): void {
    const length = this.#length + count;
    if (length > this.#sizes.length) this.#grow(length);
    this.#hashes.set(hashes.subarray(0, count * HASH_BYTES), this.#length * HASH_BYTES);
    for (let i = 0; i < count; i++) this.#sizes[this.#length + i] = sizes[i] ?? 0;
    this.#length = length;
  }

  /** Hash and size of each; the hashes are copies. */
  *[Symbol.iterator](): IterableIterator<ChunkRef> {
    for (let i = 0; i < this.#length; i++) {
      const hash = this.#hashes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES);
      yield { hash, size: this.#sizes[i] ?? 0 };
    }
  }

  #grow(length: number): void {
    const capacity = Math.max(length, 2 * this.#sizes.length);
    // Gives the smaller one back at once, not when somebody collects it.
    this.#hashes = new Uint8Array(this.#hashes.buffer.transfer(capacity * HASH_BYTES));
    this.#sizes = new Float64Array(this.#sizes.buffer.transfer(capacity * 8));
  }
}
