/** A bounded free list of equal buffers, so that the packet path does not allocate. */

/** Hands out and takes back buffers of one size. */
export class BufferPool {
  readonly #bytes: number;
  readonly #keptMax: number;
  readonly #free: Uint8Array[] = [];

  /**
   * @param bytes Size of each buffer.
   * @param keptMax Buffers kept for reuse; more are left to the garbage collector.
   */
  constructor(bytes: number, keptMax: number) {
    this.#bytes = bytes;
    this.#keptMax = keptMax;
  }

  /** A buffer with arbitrary content. */
  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.#bytes);
  }

  /** Gives a buffer back; it must not be used afterwards. */
  release(buffer: Uint8Array): void {
    if (this.#free.length < this.#keptMax) this.#free.push(buffer);
  }
}
