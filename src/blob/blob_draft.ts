/**
 * A blob in the making: chunks first, the record last. Until the draft ends its chunks are not removed, and until
 * the commit nobody sees a blob.
 */
import type { BlobRef, ChunkRef } from "./blob_ref.ts";
import type { BlobEncoding } from "./encoding.ts";
import type { SmallChunks } from "./chunk_store.ts";
import type { BlobKind, BlobOrigin } from "./queries.ts";

/** Options of a draft. */
export interface BlobDraftOptions {
  readonly label?: string;
  /** `put` when left out. */
  readonly origin?: BlobOrigin;
  /**
   * False for a blob that may be lost with the machine's power, until {@linkcode BlobStore.sync}; what was lost is
   * found missing or damaged. True when left out.
   */
  readonly isSynced?: boolean;
}

/** Options of {@linkcode BlobDraft.putChunk}. */
export interface PutChunkOptions {
  /** One of very many small chunks: the store may keep them together. */
  readonly isPacked?: boolean;
}

/** What a draft becomes. */
export interface DraftBlob {
  /** BLAKE3 of the whole payload; of a directory, of its manifest. */
  readonly address: Uint8Array;
  readonly ref: BlobRef;
  readonly size: number;
  /**
   * Every chunk of it in order, with the nodes of its tree, parity, and for a directory the chunks of its files.
   * Each was put or kept by this draft.
   */
  readonly chunks: Iterable<ChunkRef>;
  readonly kind: BlobKind;
}

/** A blob that was put. */
export interface StoredBlob {
  /** `b3:` and the hash of the whole payload. */
  readonly address: string;
  readonly hash: Uint8Array;
  readonly ref: BlobRef;
  /** The encoded reference. */
  readonly blobRef: Uint8Array;
  readonly size: number;
  readonly chunkCount: number;
  /** What protected it as it was stored before, where that is more than now. */
  readonly lostParity?: BlobEncoding;
}

/** A blob in the making. */
export interface BlobDraft {
  /**
   * Stores a chunk, which survives a kill of the process at once and a loss of power after the commit.
   *
   * @param hash BLAKE3 of `bytes`; taken on trust.
   * @throws NetError `no_space`, `failed`; `conflict` once the draft is over.
   */
  putChunk(
    hash: Uint8Array,
    bytes: Uint8Array,
    options?: PutChunkOptions,
  ): Promise<"stored" | "present">;
  /**
   * Stores very many small chunks, which the store may keep together. They and their bytes are in use until this
   * settles.
   *
   * @throws As {@linkcode BlobDraft.putChunk}.
   */
  putMany?(chunks: SmallChunks): Promise<void>;
  /** Takes a chunk that is here already; its size, or `undefined` when it is not. */
  keepChunk(hash: Uint8Array): Promise<number | undefined>;
  /** Makes all chunks durable, then records the blob in one transaction. Ends the draft when it succeeds. */
  commit(blob: DraftBlob): Promise<StoredBlob>;
  /**
   * Ends the draft; idempotent, and without effect after a commit. Chunks it stored that nothing else needs are
   * removed, unless they shall be kept for another try.
   */
  abort(options?: { readonly keepChunks?: boolean }): Promise<void>;
}
