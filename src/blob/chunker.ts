/**
 * Cuts a stream into chunks of 4 MiB and hashes each and the whole in one pass (`dataforts.md` 3).
 *
 * Memory is bounded by the buffers: one being filled and those whose consumer is not done. Content-
 * defined cuts are not made here.
 */
import { NetError, toHex } from "../base/mod.ts";
import { blake3, createBlake3 } from "../core/crypto/mod.ts";
import type { BlobRef, ChunkRef } from "./blob_ref.ts";
import { BLOB_BYTES_MAX, CHUNK_BYTES, PUT_WRITES_MAX } from "./limits.ts";

/** Something bytes are read from; a `Deno.FsFile` is one. */
export interface ByteSource {
  /** Fills some of `into`; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
}

/** One chunk on its way. */
export interface Chunk extends ChunkRef {
  readonly index: number;
  /** Valid until the promise of the consumer settles. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What a stream was cut into. */
export interface ChunkedBlob {
  /** BLAKE3 of everything. */
  readonly wholeHash: Uint8Array;
  /** At least one; the only chunk of an empty stream is empty. */
  readonly chunks: readonly ChunkRef[];
  readonly size: number;
}

/** Options of {@linkcode chunkFixed}. */
export interface ChunkFixedOptions {
  /** Takes one chunk; at most three are in flight, and the next is read meanwhile. */
  readonly onChunk: (chunk: Chunk) => Promise<void>;
  /** Told the bytes read so far. */
  readonly onBytes?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Cuts `source` to its end. When this settles no consumer is at work any more.
 *
 * @throws NetError `limit` above 16 GiB; whatever the source, a consumer or the signal throws.
 */
export async function chunkFixed(
  source: ByteSource,
  options: ChunkFixedOptions,
): Promise<ChunkedBlob> {
  const { onChunk, onBytes, signal } = options;
  const whole = createBlake3();
  const chunks: ChunkRef[] = [];
  const free: Uint8Array<ArrayBuffer>[] = [];
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let size = 0;

  const consume = (chunk: Chunk, buffer: Uint8Array<ArrayBuffer>) => {
    const work: Promise<void> = onChunk(chunk)
      .catch((error: unknown) => {
        failures.push(error);
      })
      .finally(() => {
        inFlight.delete(work);
        free.push(buffer);
      });
    inFlight.add(work);
  };

  try {
    for (let index = 0;; index++) {
      while (inFlight.size >= PUT_WRITES_MAX) await Promise.race(inFlight);
      if (failures.length > 0) throw failures[0];
      const buffer = free.pop() ?? new Uint8Array(CHUNK_BYTES);
      const length = await fill(source, buffer, (count) => onBytes?.(size + count), signal);
      if (length === 0 && index > 0) break;
      size += length;
      if (size > BLOB_BYTES_MAX) {
        throw new NetError("limit", `Cannot store blob: more than ${BLOB_BYTES_MAX} bytes`, {
          next: "split it into parts of at most 16 GiB",
        });
      }
      const bytes = buffer.subarray(0, length);
      const hash = blake3(bytes);
      // A short first chunk is the whole; its hash needs no second pass.
      const isWhole = index === 0 && length < CHUNK_BYTES;
      if (!isWhole) whole.update(bytes);
      chunks.push({ hash, size: length });
      consume({ index, hash, size: length, bytes }, buffer);
      if (length < CHUNK_BYTES) break;
    }
  } finally {
    while (inFlight.size > 0) await Promise.race(inFlight);
  }
  if (failures.length > 0) throw failures[0];
  const first = chunks[0];
  const isOne = chunks.length === 1 && first !== undefined;
  return { wholeHash: isOne ? first.hash : whole.digest(), chunks, size };
}

/** The reference to a cut stream: Small for one chunk, Manifest above; its URI names the whole. */
export function refOfChunks(blob: ChunkedBlob): Exclude<BlobRef, { readonly kind: "tree" }> {
  const { chunks, size, wholeHash } = blob;
  const uri = `mesh://${toHex(wholeHash)}`;
  if (chunks.length === 1) return { kind: "small", uri, hash: wholeHash, size };
  return { kind: "manifest", uri, encoding: { kind: "replicated" }, chunks, size };
}

/**
 * Reads from a stream of byte arrays; `close` lets go of it, cancelling what was not read.
 *
 * @example
 * ```ts
 * import { streamSource } from "./chunker.ts";
 * const source = streamSource(new Blob(["abc"]).stream());
 * console.assert(await source.read(new Uint8Array(2)) === 2);
 * await source.close();
 * ```
 */
export function streamSource(
  stream: ReadableStream<Uint8Array>,
): ByteSource & { close(): Promise<void> } {
  const reader = stream.getReader();
  let rest: Uint8Array = new Uint8Array(0);
  return {
    read: async (into) => {
      while (rest.length === 0) {
        const next = await reader.read();
        if (next.done) return null;
        rest = next.value;
      }
      const piece = rest.subarray(0, into.length);
      into.set(piece);
      rest = rest.subarray(piece.length);
      return piece.length;
    },
    close: async () => {
      await reader.cancel().catch(() => {}); // Of a stream that failed; its error was seen by read.
      reader.releaseLock();
    },
  };
}

/** Reads until `buffer` is full or the source ends; the number of bytes. */
async function fill(
  source: ByteSource,
  buffer: Uint8Array,
  onCount: (count: number) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    signal?.throwIfAborted();
    const count = await source.read(buffer.subarray(length));
    if (count === null) break;
    length += count;
    onCount(length);
  }
  return length;
}
