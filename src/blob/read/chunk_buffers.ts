/**
 * Buffers that chunks are read into again and again: without them a long read leaves hundreds of megabytes
 * behind before the garbage collector takes notice.
 */

/** Lengths are rounded up, so that chunks of many lengths fit into each other's buffers. */
const STEP_BYTES = 1024 * 1024;

/** Buffers of one read. Disposed of, it gives their memory back at once, not when the garbage collector comes by. */
export class ChunkBuffers implements Disposable {
  readonly #keptMax: number;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #isOver = false;
  readonly #lent = new WeakMap<ArrayBufferLike, Uint8Array<ArrayBuffer>>();

  /** @param keptMax Most buffers that wait for a chunk. */
  constructor(keptMax: number) {
    this.#keptMax = keptMax;
  }

  /** A buffer for a chunk of so many bytes. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#free.findIndex((buffer) => buffer.length >= length);
    const [found] = at < 0 ? [] : this.#free.splice(at, 1);
    // What is too short for this one is let go, or short ones would stay for good.
    if (found === undefined && this.#free.length >= this.#keptMax) letGo(this.#free.shift());
    const buffer = found ??
      new Uint8Array(Math.max(1, Math.ceil(length / STEP_BYTES)) * STEP_BYTES);
    this.#lent.set(buffer.buffer, buffer);
    return buffer;
  }

  /**
   * Reads a chunk of so many bytes into a buffer, which stays lent when the result lies in it.
   *
   * @param read What reads; it may give other bytes.
   */
  async readInto<T>(
    length: number,
    read: (into: Uint8Array<ArrayBuffer>) => Promise<T>,
    bytesOf: (result: T) => Uint8Array | undefined,
  ): Promise<T> {
    const into = this.take(length);
    let isLent = false;
    try {
      const result = await read(into);
      isLent = bytesOf(result)?.buffer === into.buffer;
      return result;
    } finally {
      if (!isLent) this.giveBack(into);
    }
  }

  /** Takes a buffer back by the bytes that were in it; what is no buffer of this one is left alone. */
  giveBack(bytes: Uint8Array): void {
    const buffer = this.#lent.get(bytes.buffer);
    if (buffer === undefined) return;
    this.#lent.delete(bytes.buffer);
    if (this.#isOver || this.#free.length >= this.#keptMax) letGo(buffer);
    else this.#free.push(buffer);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const buffer of this.#free.splice(0)) letGo(buffer);
  }
}

/** Frees the memory of a buffer that nobody uses. */
function letGo(buffer: Uint8Array<ArrayBuffer> | undefined): void {
  buffer?.buffer.transfer(0);
}
