/**
 * Cuts a stream into chunks of 4 MiB for a Small or a Manifest, and hashes each and the whole in one pass
 * (`dataforts.md` 3). Trees are made of {@linkcode cutStream} alone.
 */
import { NetError, toHex } from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";
import type { BlobRef, ChunkRef } from "./blob_ref.ts";
import type { ByteSource } from "./byte_source.ts";
import { FIXED_CHUNKING } from "./cut/chunking.ts";
import { type Chunk, cutStream, type CutStreamOptions } from "./cut/cut_stream.ts";
import { BLOB_BYTES_MAX } from "./limits.ts";

/** What a stream was cut into. */
export interface ChunkedBlob {
  /** BLAKE3 of everything. */
  readonly wholeHash: Uint8Array;
  /** At least one; the only chunk of an empty stream is empty. */
  readonly chunks: readonly ChunkRef[];
  readonly size: number;
}

/** Options of {@linkcode chunkFixed}. */
export type ChunkFixedOptions = Omit<CutStreamOptions, "chunking" | "onCut" | "isWholeHashed">;

/**
 * Cuts `source` to its end. When this settles no consumer is at work any more.
 *
 * @throws NetError `limit` above 16 GiB; whatever the source, a consumer or the signal throws.
 */
export async function chunkFixed(
  source: ByteSource,
  options: ChunkFixedOptions,
): Promise<ChunkedBlob> {
  const chunks: ChunkRef[] = [];
  let size = 0;
  const onCut = ({ hash, size: length }: Chunk) => {
    size += length;
    if (size > BLOB_BYTES_MAX) {
      throw new NetError("limit", `Cannot store blob: more than ${BLOB_BYTES_MAX} bytes`, {
        next: "split it into parts of at most 16 GiB",
      });
    }
    chunks.push({ hash, size: length });
  };
  const { wholeHash } = await cutStream(source, {
    ...options,
    chunking: FIXED_CHUNKING,
    isWholeHashed: true,
    onCut,
  });
  if (chunks.length === 0) {
    const bytes = new Uint8Array(0);
    const empty: Chunk = { index: 0, hash: blake3(bytes), size: 0, bytes };
    onCut(empty);
    await options.onChunk(empty);
  }
  return { wholeHash: wholeHash ?? blake3(new Uint8Array(0)), chunks, size };
}

/** The reference to a cut stream: Small for one chunk, Manifest above; its URI names the whole. */
export function refOfChunks(blob: ChunkedBlob): Exclude<BlobRef, { readonly kind: "tree" }> {
  const { chunks, size, wholeHash } = blob;
  const uri = `mesh://${toHex(wholeHash)}`;
  if (chunks.length === 1) return { kind: "small", uri, hash: wholeHash, size };
  return { kind: "manifest", uri, encoding: { kind: "replicated" }, chunks, size };
}
