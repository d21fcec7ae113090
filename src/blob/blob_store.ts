/**
 * The blobs of this node: chunks in a chunk store, records in the ledger (`dataforts.md` 3, 7, 9).
 *
 * A blob is put in this order: chunks durable, then one transaction, then its address is told. It is
 * removed the other way round, so that a crash leaves at most chunks nobody refers to; `sweep` removes
 * those. Nothing here talks to peers.
 */
import { type Clock, NetError, toHex, toNetError } from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";
import type { Ledger } from "../core/ledger/mod.ts";
import type { Log } from "../observe/mod.ts";
import { formatAddress } from "./address.ts";
import { type BlobRef, decodeBlobRef, encodeBlobRef } from "./blob_ref.ts";
import type { ChunkStore } from "./chunk_store.ts";
import type { ByteSource } from "./byte_source.ts";
import { chunkFixed, refOfChunks } from "./chunker.ts";
import type { Chunk } from "./cut/cut_stream.ts";
import { createProgressGate, type OnBlobProgress } from "./progress.ts";
import {
  type BlobCursor,
  type BlobRecord,
  countBlobs,
  deleteBlob,
  insertBlob,
  isChunkReferred,
  listBlobs,
  listOrphans,
  readBlob,
  readRefByHash,
} from "./queries.ts";

/** What {@linkcode createBlobStore} needs. */
export interface BlobStoreDeps {
  readonly ledger: Ledger;
  readonly chunks: ChunkStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** Options of {@linkcode BlobStore.put}. */
export interface PutBlobOptions {
  /** Bytes to come, for progress; `undefined` when nobody knows. */
  readonly totalBytes?: number;
  readonly label?: string;
  readonly onProgress?: OnBlobProgress;
  readonly signal?: AbortSignal;
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
}

/** One page of a listing. */
export interface BlobPage {
  readonly blobs: readonly BlobRecord[];
  /** Where the next page goes on; `undefined` at the end. */
  readonly next: BlobCursor | undefined;
}

/** Counters by the names of the specification (`dataforts.md` 21). */
export interface BlobStoreCounters {
  dataforts_blobs_stored_total: number;
  dataforts_blobs_fetched_total: number;
  dataforts_blob_bytes_stored_total: number;
  dataforts_blob_gc_swept_total: number;
  dataforts_blob_disk_used_bytes: number;
}

/** Blobs a listing gives at most at once. */
export const LIST_LIMIT_MAX = 1_000;

/** The blobs of this node. */
export interface BlobStore {
  readonly counters: BlobStoreCounters;
  /**
   * Stores everything `source` gives; when the promise resolves it survives a loss of power.
   *
   * @throws NetError `no_space`, `limit`; the reason of `signal`. Then nothing of it is listed.
   */
  put(source: ByteSource, options?: PutBlobOptions): Promise<StoredBlob>;
  /** The record of a blob, or `undefined`. */
  stat(address: Uint8Array): Promise<BlobRecord | undefined>;
  /** Blobs, newest first. */
  list(options?: { readonly limit?: number; readonly after?: BlobCursor }): Promise<BlobPage>;
  /** Forgets a blob and frees the chunks no other one refers to; `undefined` when it is not here. */
  remove(address: Uint8Array): Promise<{ readonly freedBytes: number } | undefined>;
  /** The reference of a blob that is here. */
  resolve(address: Uint8Array): Promise<BlobRef | undefined>;
  /** The encoded reference whose own BLAKE3 is `refHash`. */
  readRef(refHash: Uint8Array): Promise<Uint8Array | undefined>;
  /** The encoded reference of a blob that is here. */
  readRefOf(address: Uint8Array): Promise<Uint8Array | undefined>;
  /** Size of a chunk that is here. */
  hasChunk(hash: Uint8Array): Promise<number | undefined>;
  /** A chunk that is here, verified; a view of `into` when that was given and holds it. */
  readChunk(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Removes chunks nobody refers to; how many. For a quiet time after the start. */
  sweep(options?: { readonly signal?: AbortSignal }): Promise<number>;
}

/** Creates the store over an open ledger and chunk store. */
export async function createBlobStore(deps: BlobStoreDeps): Promise<BlobStore> {
  const { chunkBytes } = await countBlobs(deps.ledger.db);
  return new LedgerBlobStore(deps, chunkBytes);
}

class LedgerBlobStore implements BlobStore {
  readonly counters: BlobStoreCounters;
  readonly #deps: BlobStoreDeps;
  /** Chunks of puts under way, by hash: how many of them need each. */
  readonly #held = new Map<string, number>();
  /** Removals under way, by hash. */
  readonly #removals = new Map<string, Promise<unknown>>();

  constructor(deps: BlobStoreDeps, usedBytes: number) {
    this.#deps = deps;
    this.counters = {
      dataforts_blobs_stored_total: 0,
      dataforts_blobs_fetched_total: 0,
      dataforts_blob_bytes_stored_total: 0,
      dataforts_blob_gc_swept_total: 0,
      dataforts_blob_disk_used_bytes: usedBytes,
    };
  }

  async put(source: ByteSource, options: PutBlobOptions = {}): Promise<StoredBlob> {
    const { clock, ledger } = this.#deps;
    const { totalBytes, label = "", onProgress, signal } = options;
    const held: string[] = [];
    const stored: Uint8Array[] = [];
    const gate = createProgressGate(clock, onProgress);
    let isDone = false;
    try {
      const chunked = await chunkFixed(source, {
        onChunk: (chunk) => this.#putChunk(chunk, held, stored),
        onBytes: (doneBytes) => gate.update({ stage: "store", doneBytes, totalBytes }),
        signal,
      });
      const ref = refOfChunks(chunked);
      const blobRef = encodeBlobRef(ref);
      const { wholeHash: hash, size, chunks } = chunked;
      signal?.throwIfAborted();
      await this.#deps.chunks.flush();
      await ledger.transaction((transaction) =>
        insertBlob(transaction, {
          address: hash,
          blobRef,
          refHash: blake3(blobRef),
          size,
          chunks,
          createdAtMs: clock.wallMs(),
          label,
        })
      );
      isDone = true;
      this.counters.dataforts_blobs_stored_total += 1;
      this.counters.dataforts_blob_bytes_stored_total += size;
      gate.finish({ stage: "store", doneBytes: size, totalBytes: size });
      return {
        address: formatAddress(hash),
        hash,
        ref,
        blobRef,
        size,
        chunkCount: chunks.length,
      };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw toNetError(error, "Cannot store blob");
    } finally {
      this.#release(held);
      if (!isDone) await this.#removeOrphans(stored);
    }
  }

  stat(address: Uint8Array): Promise<BlobRecord | undefined> {
    return readBlob(this.#deps.ledger.db, address);
  }

  async list(
    options: { readonly limit?: number; readonly after?: BlobCursor } = {},
  ): Promise<BlobPage> {
    const limit = Math.min(Math.max(options.limit ?? 100, 1), LIST_LIMIT_MAX);
    const found = await listBlobs(this.#deps.ledger.db, {
      limit: limit + 1,
      after: options.after,
    });
    const blobs = found.slice(0, limit);
    const last = found.length > limit ? blobs.at(-1) : undefined;
    const next = last && { createdAtMs: last.createdAtMs, address: last.address };
    return { blobs, next };
  }

  async remove(address: Uint8Array): Promise<{ readonly freedBytes: number } | undefined> {
    const { ledger } = this.#deps;
    const forget = () => ledger.transaction((transaction) => deleteBlob(transaction, address));
    let freedBytes = 0;
    let orphans: Uint8Array[] | undefined;
    try {
      orphans = await forget();
    } catch (error) {
      if (!(error instanceof NetError) || error.code !== "no_space") throw error;
      // Even forgetting takes some room in the ledger, and on a full disk only the chunks can give it. A
      // crash before the second try leaves a record without chunks, which can be removed again.
      freedBytes = await this.#removeOrphans(await listOrphans(ledger.db, address), address);
      orphans = await forget();
    }
    if (orphans === undefined) return undefined;
    return { freedBytes: freedBytes + await this.#removeOrphans(orphans) };
  }

  async resolve(address: Uint8Array): Promise<BlobRef | undefined> {
    const record = await this.stat(address);
    if (record === undefined) return undefined;
    const decoded = decodeBlobRef(record.blobRef);
    if (decoded.ok) return decoded.ref;
    throw new NetError(
      "integrity",
      `Cannot read reference of ${formatAddress(address)}: ${decoded.fault}`,
      { next: "put the blob again" },
    );
  }

  readRef(refHash: Uint8Array): Promise<Uint8Array | undefined> {
    return readRefByHash(this.#deps.ledger.db, refHash);
  }

  async readRefOf(address: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.stat(address))?.blobRef;
  }

  hasChunk(hash: Uint8Array): Promise<number | undefined> {
    return this.#deps.chunks.has(hash);
  }

  async readChunk(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { chunks, log } = this.#deps;
    const corruptBefore = chunks.counters.corrupt;
    const bytes = await chunks.read(hash, into);
    if (bytes === undefined && chunks.counters.corrupt > corruptBefore) {
      log.error("chunk_corrupt", { hash: toHex(hash), hint: "it was removed; put its blob again" });
    }
    return bytes;
  }

  async sweep(options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    let swept = 0;
    for await (const hash of this.#deps.chunks.list()) {
      options.signal?.throwIfAborted();
      // Chunks that nobody refers to were never counted as used.
      if (await this.#removeUnreferred(hash) !== undefined) swept += 1;
    }
    this.counters.dataforts_blob_gc_swept_total += swept;
    if (swept > 0) this.#deps.log.info("chunks_swept", { count: swept });
    return swept;
  }

  async #putChunk(chunk: Chunk, held: string[], stored: Uint8Array[]): Promise<void> {
    const key = toHex(chunk.hash);
    // Held before it is written: a removal that runs meanwhile must leave it alone.
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    held.push(key);
    await this.#removals.get(key);
    if (await this.#deps.chunks.put(chunk.hash, chunk.bytes) !== "stored") return;
    stored.push(chunk.hash);
    this.counters.dataforts_blob_disk_used_bytes += chunk.size;
  }

  #release(held: readonly string[]): void {
    for (const key of held) {
      const count = (this.#held.get(key) ?? 1) - 1;
      if (count > 0) this.#held.set(key, count);
      else this.#held.delete(key);
    }
  }

  /**
   * Removes chunks that were counted as used; the bytes that became free.
   *
   * @param owner Address of a blob whose own references do not count.
   */
  async #removeOrphans(hashes: readonly Uint8Array[], owner?: Uint8Array): Promise<number> {
    let freedBytes = 0;
    for (const hash of hashes) {
      try {
        freedBytes += await this.#removeUnreferred(hash, owner) ?? 0;
      } catch (error) {
        // The next sweep finds it; the blob itself is gone or was never there.
        this.#deps.log.warn("chunk_not_removed", {
          hash: toHex(hash),
          reason: error instanceof Error ? error.message : String(error),
        });
      }
    }
    this.counters.dataforts_blob_disk_used_bytes -= freedBytes;
    return freedBytes;
  }

  async #removeUnreferred(hash: Uint8Array, owner?: Uint8Array): Promise<number | undefined> {
    const key = toHex(hash);
    if (await isChunkReferred(this.#deps.ledger.db, hash, owner)) return undefined;
    // From here to the entry in the map nothing else runs: a put either holds the chunk by now, or
    // finds the removal and waits for it.
    if (this.#held.has(key) || this.#removals.has(key)) return undefined;
    const removal = this.#deps.chunks.remove(hash);
    this.#removals.set(key, removal.catch(() => {})); // Reported below; waiters only need its end.
    try {
      return await removal;
    } finally {
      this.#removals.delete(key);
    }
  }
}
