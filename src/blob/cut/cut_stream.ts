/**
 * Cuts a stream into hashed chunks while their consumers are at work (`dataforts.md` 3 and 4).
 *
 * Memory is bounded by the buffers: one being filled and those whose consumer is not done, each as long
 * as the longest chunk.
 */
import { blake3 } from "../../core/crypto/mod.ts";
import type { ChunkRef } from "../blob_ref.ts";
import type { ByteSource } from "../byte_source.ts";
import { PUT_WRITES_MAX } from "../limits.ts";
import { chunkBytesMax, type Chunking } from "./chunking.ts";
import { createCutter } from "./cutter.ts";

/** One chunk on its way. */
export interface Chunk extends ChunkRef {
  readonly index: number;
  /** Valid until the promise of the consumer settles. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Options of {@linkcode cutStream}. */
export interface CutStreamOptions {
  readonly chunking: Chunking;
  /** Takes one chunk; at most three are in flight, and the next is read meanwhile. Called in order. */
  readonly onChunk: (chunk: Chunk) => Promise<void>;
  /** Told of each chunk before its consumer is; what it throws ends the stream. */
  readonly onCut?: (chunk: Chunk) => void;
  /** Told the bytes read so far. */
  readonly onBytes?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** What was cut. */
export interface CutTotals {
  readonly bytes: number;
  readonly chunks: number;
}

/**
 * Bytes read at once for content-defined chunks. What was read beyond a cut is copied to the next buffer:
 * half of it on average, a tenth of an average chunk.
 */
const PIECE_BYTES_MAX = 1024 * 1024;

/**
 * Cuts `source` to its end; an empty one gives no chunk. When this settles no consumer is at work any
 * more.
 *
 * @throws RangeError when the chunking is out of range; whatever the source, a consumer or the signal
 * throws.
 */
export async function cutStream(
  source: ByteSource,
  options: CutStreamOptions,
): Promise<CutTotals> {
  const { chunking, onBytes, onCut, signal } = options;
  const cutter = createCutter(chunking);
  const consumers = new Consumers(options.onChunk, chunkBytesMax(chunking));
  const pieceBytes = chunking.kind === "fixed"
    ? chunking.chunkBytes
    : Math.min(PIECE_BYTES_MAX, chunking.averageBytes);
  let [readBytes, index, length] = [0, 0, 0];
  let buffer = consumers.takeBuffer();

  const emit = async (size: number) => {
    const bytes = buffer.subarray(0, size);
    const chunk: Chunk = { index, hash: blake3(bytes), size, bytes };
    onCut?.(chunk);
    // The rest is copied before the buffer is given away.
    const rest = buffer.subarray(size, length);
    const next = rest.length > 0 ? consumers.takeBuffer() : undefined;
    next?.set(rest);
    consumers.start(chunk, buffer);
    await consumers.waitForRoom();
    buffer = next ?? consumers.takeBuffer();
    length = rest.length;
    index += 1;
  };

  try {
    for (;;) {
      signal?.throwIfAborted();
      const count = await source.read(buffer.subarray(length, length + pieceBytes));
      if (count === null) break;
      length += count;
      readBytes += count;
      onBytes?.(readBytes);
      for (;;) {
        const size = cutter.find(buffer.subarray(0, length));
        if (size === 0) break;
        await emit(size);
      }
    }
    if (length > 0) await emit(length);
  } finally {
    await consumers.settle();
  }
  consumers.throwIfFailed();
  return { bytes: readBytes, chunks: index };
}

/** The consumers at work and the buffers they hold. */
class Consumers {
  readonly #onChunk: (chunk: Chunk) => Promise<void>;
  readonly #bufferBytes: number;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  readonly #working = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];

  constructor(onChunk: (chunk: Chunk) => Promise<void>, bufferBytes: number) {
    this.#onChunk = onChunk;
    this.#bufferBytes = bufferBytes;
  }

  takeBuffer(): Uint8Array<ArrayBuffer> {
    return this.#free.pop() ?? new Uint8Array(this.#bufferBytes);
  }

  /** Gives a chunk to its consumer, and takes its buffer back when that is done. */
  start(chunk: Chunk, buffer: Uint8Array<ArrayBuffer>): void {
    const work: Promise<void> = this.#onChunk(chunk)
      .catch((error: unknown) => {
        this.#failures.push(error);
      })
      .finally(() => {
        this.#working.delete(work);
        this.#free.push(buffer);
      });
    this.#working.add(work);
  }

  /** Waits until another may start; throws when one failed. */
  async waitForRoom(): Promise<void> {
    while (this.#working.size >= PUT_WRITES_MAX) await Promise.race(this.#working);
    this.throwIfFailed();
  }

  throwIfFailed(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  async settle(): Promise<void> {
    while (this.#working.size > 0) await Promise.race(this.#working);
  }
}
