/**
 * Cuts a stream into hashed chunks while their consumers are at work (`dataforts.md` 3 and 4).
 *
 * Reading, hashing and consuming go on at once, each in the order of the stream. Memory is bounded by the
 * buffers: the one being filled, and those that are being hashed or consumed, each as long as the longest
 * chunk.
 */
import { NetError } from "../../base/mod.ts";
import { createBlake3, isBlake3Subtree } from "../../core/crypto/mod.ts";
import type { ChunkRef } from "../blob_ref.ts";
import type { ByteSource } from "../byte_source.ts";
import { CUT_BUFFERS_MAX, PUT_WRITES_MAX } from "../limits.ts";
import { inlineWork, type WorkPool } from "../work/mod.ts";
import { chunkBytesMax, type Chunking } from "./chunking.ts";
import { createCutter } from "./cutter.ts";

/** One chunk on its way. */
export interface Chunk extends ChunkRef {
  readonly index: number;
  /** Valid until the promise of the consumer settles. */
  readonly bytes: Uint8Array;
}

/** Options of {@linkcode cutStream}. */
export interface CutStreamOptions {
  readonly chunking: Chunking;
  /** Takes one chunk; at most three are in flight. Called in order. */
  readonly onChunk: (chunk: Chunk) => Promise<void>;
  /** Told of each chunk before its consumer is; what it throws ends the stream. */
  readonly onCut?: (chunk: Chunk) => void;
  /** Told the bytes read so far. */
  readonly onBytes?: (doneBytes: number) => void;
  /** Hashes the whole, too. */
  readonly isWholeHashed?: boolean;
  /** Who hashes; all is done in line when left out. */
  readonly work?: WorkPool;
  readonly signal?: AbortSignal;
}

/** What was cut. */
export interface CutTotals {
  readonly bytes: number;
  readonly chunks: number;
  /** BLAKE3 of everything, when it was asked for. */
  readonly wholeHash: Uint8Array | undefined;
}

/**
 * Bytes read at once for content-defined chunks, and the parts in which their whole is hashed. What was read
 * beyond a cut is copied to the next buffer: half of it on average, a tenth of an average chunk.
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
  const { chunking, onBytes, signal } = options;
  const cutter = createCutter(chunking);
  const line = new CutLine(options);
  const pieceBytes = chunking.kind === "fixed"
    ? chunking.chunkBytes
    : Math.min(PIECE_BYTES_MAX, chunking.averageBytes);
  let [readBytes, length] = [0, 0];
  let buffer = line.takeBuffer();
  try {
    for (;;) {
      signal?.throwIfAborted();
      const start = length;
      let isEnd = false;
      // Whole pieces, so that their place in the stream is a multiple of their length.
      const end = Math.min(start + pieceBytes - readBytes % pieceBytes, buffer.length);
      while (length < end && !isEnd) {
        const count = await source.read(buffer.subarray(length, end));
        isEnd = count === null;
        length += count ?? 0;
        readBytes += count ?? 0;
        if (!isEnd) onBytes?.(readBytes);
        line.throwIfFailed();
        signal?.throwIfAborted();
      }
      if (length > start) line.addPiece(buffer.subarray(start, length));
      for (;;) {
        const size = cutter.find(buffer.subarray(0, length));
        if (size === 0) break;
        // The rest is copied before the buffer is given away.
        const rest = buffer.subarray(size, length);
        const next = rest.length > 0 ? line.takeBuffer() : undefined;
        next?.set(rest);
        line.addChunk(buffer, size);
        await line.waitForRoom();
        buffer = next ?? line.takeBuffer();
        length = rest.length;
      }
      if (isEnd) break;
    }
    if (length > 0) line.addChunk(buffer, length);
    else line.giveBack(buffer);
    await line.drain();
    return { bytes: readBytes, chunks: line.chunks, wholeHash: line.wholeHash() };
  } finally {
    await line.settle();
  }
}

/** What was read, on its way through hashing to the consumers. */
class CutLine {
  readonly #options: CutStreamOptions;
  readonly #work: WorkPool;
  readonly #bufferBytes: number;
  readonly #whole = createBlake3();
  /** The end of everything that was begun so far, in order. */
  #tail: Promise<void> = Promise.resolve();
  readonly #working = new Set<Promise<void>>();
  readonly #free: Uint8Array[] = [];
  #buffersOut = 0;
  #wakeReader: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;
  #pieceBytes = 0;
  #first: Uint8Array | undefined;
  chunks = 0;

  constructor(options: CutStreamOptions) {
    this.#options = options;
    this.#work = options.work ?? inlineWork();
    this.#bufferBytes = chunkBytesMax(options.chunking);
  }

  takeBuffer(): Uint8Array {
    return this.#free.pop() ?? this.#work.takeBuffer(this.#bufferBytes);
  }

  giveBack(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }

  /** Hashes a piece that was read as part of the whole, unless its chunk's hash is all there is to do. */
  addPiece(piece: Uint8Array): void {
    const start = this.#pieceBytes;
    this.#pieceBytes += piece.length;
    if (!this.#options.isWholeHashed || this.#isFixedPart(piece.length, start)) return;
    // A whole of one part alone would have no hash; the first is hashed here.
    if (start > 0 && isBlake3Subtree(piece.length, start)) {
      const part = this.#work.subtree(piece, start);
      part.catch(() => {}); // Seen when its turn comes.
      this.#follow(async () => void this.#whole.addSubtree(await part, piece.length));
    } else this.#follow(() => void this.#whole.update(piece));
  }

  /** Sends a chunk, which begins its buffer, on its way. */
  addChunk(buffer: Uint8Array, size: number): void {
    const bytes = buffer.subarray(0, size);
    const index = this.chunks++;
    const start = this.#pieceBytes - size;
    const isPart = this.#options.isWholeHashed && this.#isFixedPart(size, start);
    const hashed = this.#work.hash(bytes, isPart ? start : undefined);
    hashed.catch(() => {}); // Seen when its turn comes; until then it must not count as unhandled.
    this.#buffersOut += 1;
    this.#follow(async () => {
      const { hash, value } = await hashed;
      if (isPart && value !== undefined) this.#whole.addSubtree(value, size);
      if (index === 0) this.#first = hash;
      const chunk: Chunk = { index, hash, size, bytes };
      this.#options.onCut?.(chunk);
      while (this.#working.size >= PUT_WRITES_MAX) await Promise.race(this.#working);
      this.throwIfFailed();
      this.#consume(chunk, buffer);
    });
  }

  /** Waits until another buffer may be filled; throws when something failed. */
  async waitForRoom(): Promise<void> {
    this.throwIfFailed();
    while (this.#buffersOut >= CUT_BUFFERS_MAX) {
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
      this.throwIfFailed();
    }
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for all that was begun; throws when something failed. */
  async drain(): Promise<void> {
    await this.settle();
    this.throwIfFailed();
  }

  async settle(): Promise<void> {
    await this.#tail;
    while (this.#working.size > 0) await Promise.race(this.#working);
    for (const buffer of this.#free.splice(0)) this.#work.giveBack(buffer);
  }

  wholeHash(): Uint8Array | undefined {
    if (!this.#options.isWholeHashed) return undefined;
    // One chunk is the whole, and its value alone gives no hash.
    return this.chunks === 1 && this.#first !== undefined ? this.#first : this.#whole.digest();
  }

  /** True when a fixed chunk is hashed as part of the whole in one go. */
  #isFixedPart(length: number, start: number): boolean {
    const { chunking } = this.#options;
    return chunking.kind === "fixed" && length === chunking.chunkBytes &&
      isBlake3Subtree(length, start);
  }

  /** Does something when everything before is done, unless that failed. */
  #follow(step: () => void | Promise<void>): void {
    this.#tail = this.#tail.then(() => this.#failure === undefined ? step() : undefined).catch(
      (error: unknown) => this.#fail(error),
    );
  }

  #consume(chunk: Chunk, buffer: Uint8Array): void {
    const work: Promise<void> = this.#options.onChunk(chunk)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#working.delete(work);
        this.giveBack(buffer);
        this.#buffersOut -= 1;
        this.#wakeReader?.();
      });
    this.#working.add(work);
  }

  #fail(error: unknown): void {
    this.#failure ??= {
      error: error ?? new NetError("internal", "Cannot cut stream: it failed without a reason"),
    };
    this.#wakeReader?.();
  }
}
