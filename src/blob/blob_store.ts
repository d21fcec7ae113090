/**
 * The blobs of this node: chunks in a chunk store, records in the ledger (`dataforts.md` 3, 7, 9, 10).
 *
 * A blob is put in this order: chunks durable, then one transaction, then its address is told. It is
 * removed the other way round, so that a crash leaves at most chunks that nothing refers to. Those are found by
 * `adoptStrangers` and stay for the retention floor: what was interrupted may come back for them. Nothing here
 * talks to peers.
 */
import { type Clock, NetError, toHex, toNetError } from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";
import type { Ledger } from "../core/ledger/mod.ts";
import type { Log } from "../observe/mod.ts";
import { ChunkGuard } from "./_chunk_guard.ts";
import { formatAddress } from "./address.ts";
import type {
  BlobDraft,
  BlobDraftOptions,
  DraftBlob,
  PutChunkOptions,
  StoredBlob,
} from "./blob_draft.ts";
import { type BlobRef, decodeBlobRef, encodeBlobRef } from "./blob_ref.ts";
import type { ByteSource } from "./byte_source.ts";
import {
  type ChunkEntry,
  deleteChunks,
  deleteHolds,
  type HoldReason,
  insertHolds,
  isChunkKept,
  knownChunks,
  readChunkRecord,
  readHolds,
  readReferrers,
  upsertChunks,
} from "./chunk_queries.ts";
import type { ChunkStore, StoreChunkOptions, StoreRoom } from "./chunk_store.ts";
import { chunkFixed, refOfChunks } from "./chunker.ts";
import type { ChunkStanding } from "./policy/gc.ts";
import { createProgressGate, type OnBlobProgress } from "./progress.ts";
import {
  type BlobCursor,
  type BlobRecord,
  deleteBlob,
  insertBlob,
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
  readonly dataforts_blob_disk_used_bytes: number;
}

/** A chunk came or went. */
export interface ChunkChange {
  readonly kind: "added" | "removed";
  readonly hash: Uint8Array;
  readonly size: number;
}

/** How chunks are held. */
export interface HoldOptions {
  readonly reason: HoldReason;
  /** Who holds them, 1 to 255 characters, such as `staging:TOKEN`; holds again what it holds already. */
  readonly owner: string;
  /** Unix milliseconds; without it the hold lasts until it is released. */
  readonly expiresAtMs?: number;
}

/** Blobs a listing gives at most at once. */
export const LIST_LIMIT_MAX = 1_000;

/** Chunks whose rows may wait: a crash loses only the rows, and the chunks are adopted. */
const ROWS_WAITING_MAX = 256;

/** Chunks looked up at once. */
const ADOPT_BATCH = 256;

/** Blobs looked at to tell whether one of them is pinned. */
const REFERRERS_MAX = 1_000;

/** The blobs of this node. */
export interface BlobStore {
  readonly counters: BlobStoreCounters;
  /** Begins a blob; every way of making one goes through this. */
  begin(options?: BlobDraftOptions): BlobDraft;
  /**
   * Stores everything `source` gives; when the promise resolves it survives a loss of power.
   *
   * @throws NetError `no_space`, `limit`; the reason of `signal`. Then nothing of it is listed.
   */
  put(source: ByteSource, options?: PutBlobOptions): Promise<StoredBlob>;
  /** The record of a blob by its address or the root of its tree, or `undefined`. */
  stat(address: Uint8Array): Promise<BlobRecord | undefined>;
  /** Blobs, newest first. */
  list(options?: { readonly limit?: number; readonly after?: BlobCursor }): Promise<BlobPage>;
  /** Forgets a blob and frees the chunks nothing else needs; `undefined` when it is not here. */
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
  /**
   * Adds a chunk that no blob here refers to: a copy that was fetched or pushed. It stays for the retention floor.
   *
   * @param hash BLAKE3 of `bytes`; taken on trust.
   * @param options Durable: it survives a loss of power when this resolves; otherwise it may be lost then.
   * @throws NetError `no_space`.
   */
  addChunk(
    hash: Uint8Array,
    bytes: Uint8Array,
    options?: { readonly isDurable?: boolean },
  ): Promise<"stored" | "present">;
  /** Removes a chunk that nothing keeps, young or not; its size, or `undefined` when it stays or is not here. */
  removeChunk(hash: Uint8Array): Promise<number | undefined>;
  /**
   * Keeps chunks until they are released, over restarts too. A hold is a wish: whoever needs the bytes looks after
   * it with `hasChunk`.
   */
  hold(hashes: readonly Uint8Array[], options: HoldOptions): Promise<void>;
  /** Ends the holds of an owner, of all chunks or of these; how many there were. */
  release(owner: string, hashes?: readonly Uint8Array[]): Promise<number>;
  /** What keeps a chunk, apart from its stripe; `undefined` when it was never here. */
  standingOf(hash: Uint8Array): Promise<ChunkStanding | undefined>;
  /** Room of the store. */
  room(): StoreRoom;
  /** Told of every chunk that came or went; gives what ends it. */
  onChange(listener: (change: ChunkChange) => void): () => void;
  /** Gives chunks without a row one, so that they are collected in time; how many. For a quiet time after the start. */
  adoptStrangers(options?: { readonly signal?: AbortSignal }): Promise<number>;
  /** Writes what may wait in memory to the ledger. */
  settle(): Promise<void>;
}

/** Creates the store over an open ledger and chunk store. */
export function createBlobStore(deps: BlobStoreDeps): Promise<BlobStore> {
  return Promise.resolve(new LedgerBlobStore(deps));
}

class LedgerBlobStore implements BlobStore {
  readonly counters: BlobStoreCounters;
  readonly #deps: BlobStoreDeps;
  readonly #guard = new ChunkGuard();
  readonly #listeners = new Set<(change: ChunkChange) => void>();
  /** Chunks whose rows are to be written, by hash. */
  #waiting = new Map<string, ChunkEntry>();

  constructor(deps: BlobStoreDeps) {
    this.#deps = deps;
    this.counters = {
      dataforts_blobs_stored_total: 0,
      dataforts_blobs_fetched_total: 0,
      dataforts_blob_bytes_stored_total: 0,
      dataforts_blob_gc_swept_total: 0,
      get dataforts_blob_disk_used_bytes() {
        return deps.chunks.room().usedBytes;
      },
    };
  }

  begin(options: BlobDraftOptions = {}): BlobDraft {
    return new LedgerBlobDraft({
      ...options,
      guard: this.#guard,
      putChunk: (hash, bytes, chunkOptions) => this.#putChunk(hash, bytes, chunkOptions),
      keepChunk: (hash) => this.#deps.chunks.keep(hash),
      record: (blob) => this.#record(blob, options),
      removeUnkept: (hashes) => this.#removeUnkept(hashes),
    });
  }

  async put(source: ByteSource, options: PutBlobOptions = {}): Promise<StoredBlob> {
    const { clock } = this.#deps;
    const { totalBytes, label, onProgress, signal } = options;
    const gate = createProgressGate(clock, onProgress);
    const draft = this.begin({ label });
    try {
      const chunked = await chunkFixed(source, {
        onChunk: async ({ hash, bytes }) => void await draft.putChunk(hash, bytes),
        onBytes: (doneBytes) => gate.update({ stage: "store", doneBytes, totalBytes }),
        signal,
      });
      signal?.throwIfAborted();
      const { wholeHash: address, size, chunks } = chunked;
      const ref = refOfChunks(chunked);
      const stored = await draft.commit({ address, ref, size, chunks, kind: "blob" });
      gate.finish({ stage: "store", doneBytes: size, totalBytes: size });
      return stored;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw toNetError(error, "Cannot store blob");
    } finally {
      await draft.abort();
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

  async remove(target: Uint8Array): Promise<{ readonly freedBytes: number } | undefined> {
    const { ledger } = this.#deps;
    const address = (await this.stat(target))?.address;
    if (address === undefined) return undefined;
    const forget = () => ledger.transaction((transaction) => deleteBlob(transaction, address));
    let freedBytes = 0;
    let orphans: Uint8Array[] | undefined;
    try {
      orphans = await forget();
    } catch (error) {
      if (!(error instanceof NetError) || error.code !== "no_space") throw error;
      // Even forgetting takes some room in the ledger, and on a full disk only the chunks can give it. A
      // crash before the second try leaves a record without chunks, which can be removed again.
      freedBytes = await this.#removeUnkept(await listOrphans(ledger.db, address), address);
      orphans = await forget();
    }
    if (orphans === undefined) return undefined;
    return { freedBytes: freedBytes + await this.#removeUnkept(orphans) };
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

  async addChunk(
    hash: Uint8Array,
    bytes: Uint8Array,
    options: { readonly isDurable?: boolean } = {},
  ): Promise<"stored" | "present"> {
    await this.#guard.use(hash);
    try {
      const { isDurable = false } = options;
      const outcome = await this.#putChunk(hash, bytes, { isDurable });
      this.#waiting.set(toHex(hash), { hash, size: bytes.length });
      if (isDurable) await this.#deps.chunks.flush();
      if (isDurable || this.#waiting.size >= ROWS_WAITING_MAX) await this.settle();
      return outcome;
    } finally {
      this.#guard.release([hash]);
    }
  }

  async removeChunk(hash: Uint8Array): Promise<number | undefined> {
    await this.settle();
    const size = await this.#removeFile(hash);
    if (size !== undefined) await deleteChunks(this.#deps.ledger.db, [hash]);
    return size;
  }

  async hold(hashes: readonly Uint8Array[], options: HoldOptions): Promise<void> {
    const { reason, owner, expiresAtMs } = options;
    await Promise.all(hashes.map((hash) => this.#guard.use(hash)));
    try {
      await this.#deps.ledger.transaction((transaction) =>
        insertHolds(transaction, hashes, { reason, owner, expiresAtMs })
      );
    } finally {
      this.#guard.release(hashes);
    }
  }

  release(owner: string, hashes?: readonly Uint8Array[]): Promise<number> {
    return deleteHolds(this.#deps.ledger.db, owner, hashes);
  }

  async standingOf(hash: Uint8Array): Promise<ChunkStanding | undefined> {
    await this.settle();
    const { ledger: { db }, clock } = this.#deps;
    const record = await readChunkRecord(db, hash);
    if (record === undefined) return undefined;
    const holds = await readHolds(db, hash, clock.wallMs());
    const referrers = await readReferrers(db, hash, REFERRERS_MAX);
    const held = (reason: HoldReason) => holds.some((hold) => hold.reason === reason);
    const copies = holds.filter(({ reason }) => reason === "event" || reason === "cache").length;
    return {
      refcount: referrers.length + copies,
      isPinned: record.isPinned || referrers.some(({ isPinned }) => isPinned),
      firstSeenMs: record.firstSeenMs,
      isStaged: held("staging"),
      isReplica: held("replica"),
      isInUse: this.#guard.isUsed(hash),
    };
  }

  room(): StoreRoom {
    return this.#deps.chunks.room();
  }

  onChange(listener: (change: ChunkChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async adoptStrangers(options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    await this.settle();
    let adopted = 0;
    let batch: Uint8Array[] = [];
    const adopt = async () => {
      adopted += await this.#adopt(batch);
      batch = [];
    };
    for await (const hash of this.#deps.chunks.list()) {
      options.signal?.throwIfAborted();
      if (batch.push(hash) >= ADOPT_BATCH) await adopt();
    }
    if (batch.length > 0) await adopt();
    if (adopted > 0) this.#deps.log.info("chunks_adopted", { count: adopted });
    return adopted;
  }

  async settle(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Map();
    try {
      await this.#deps.ledger.transaction((transaction) =>
        upsertChunks(transaction, [...waiting.values()], this.#deps.clock.wallMs())
      );
    } catch (error) {
      // Tried again next time; without a row the sweep would find them.
      for (const [key, entry] of waiting) this.#waiting.set(key, entry);
      throw error;
    }
  }

  /** Stores a chunk that is in use, and says so. */
  async #putChunk(
    hash: Uint8Array,
    bytes: Uint8Array,
    options?: StoreChunkOptions,
  ): Promise<"stored" | "present"> {
    const outcome = await this.#deps.chunks.put(hash, bytes, options);
    if (outcome === "stored") {
      this.#tell({ kind: "added", hash, size: bytes.length });
    }
    return outcome;
  }

  async #record(blob: DraftBlob, options: BlobDraftOptions): Promise<StoredBlob> {
    const { chunks: chunkStore, clock, ledger } = this.#deps;
    const { address, ref, size, kind } = blob;
    const chunks = [...blob.chunks];
    const blobRef = encodeBlobRef(ref);
    await chunkStore.flush();
    await ledger.transaction((transaction) =>
      insertBlob(transaction, {
        address,
        blobRef,
        refHash: blake3(blobRef),
        treeRoot: ref.kind === "tree" ? ref.rootHash : undefined,
        size,
        chunks,
        kind,
        origin: options.origin ?? "put",
        createdAtMs: clock.wallMs(),
        label: options.label ?? "",
      })
    );
    this.counters.dataforts_blobs_stored_total += 1;
    this.counters.dataforts_blob_bytes_stored_total += size;
    const text = formatAddress(address);
    return { address: text, hash: address, ref, blobRef, size, chunkCount: chunks.length };
  }

  /** Gives chunks of this list a row where they have none; how many. */
  async #adopt(hashes: readonly Uint8Array[]): Promise<number> {
    const { ledger, chunks, clock } = this.#deps;
    const known = new Set((await knownChunks(ledger.db, hashes)).map(toHex));
    const strangers: ChunkEntry[] = [];
    for (const hash of hashes) {
      if (known.has(toHex(hash))) continue;
      const size = await chunks.has(hash);
      // Chunks of drafts under way are counted already, and get their row with the commit.
      if (size === undefined || this.#guard.isUsed(hash)) continue;
      strangers.push({ hash, size });
    }
    if (strangers.length === 0) return 0;
    await ledger.transaction((transaction) => upsertChunks(transaction, strangers, clock.wallMs()));
    return strangers.length;
  }

  /**
   * Removes those of these chunks that nothing keeps, young ones too; the bytes that became free.
   *
   * @param owner Address of a blob whose own references do not count.
   */
  async #removeUnkept(hashes: readonly Uint8Array[], owner?: Uint8Array): Promise<number> {
    const removed: Uint8Array[] = [];
    let freedBytes = 0;
    const complain = (error: unknown, hash?: Uint8Array) =>
      // What is left is collected later; the blob itself is gone or was never there.
      this.#deps.log.warn("chunk_not_removed", {
        hash: hash && toHex(hash),
        reason: error instanceof Error ? error.message : String(error),
      });
    for (const hash of hashes) {
      try {
        const size = await this.#removeFile(hash, owner);
        if (size === undefined) continue;
        freedBytes += size;
        removed.push(hash);
      } catch (error) {
        complain(error, hash);
      }
    }
    // A row without its chunk does no harm: it is collected like one with it.
    await deleteChunks(this.#deps.ledger.db, removed).catch((error) => complain(error));
    return freedBytes;
  }

  async #removeFile(hash: Uint8Array, owner?: Uint8Array): Promise<number | undefined> {
    const { ledger, chunks, clock } = this.#deps;
    if (await isChunkKept(ledger.db, hash, clock.wallMs(), owner)) return undefined;
    const size = await this.#guard.remove(hash, () => chunks.remove(hash));
    if (size === undefined) return undefined;
    this.#waiting.delete(toHex(hash));
    this.#tell({ kind: "removed", hash, size });
    return size;
  }

  #tell(change: ChunkChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** What a draft does through its store. */
interface DraftDeps {
  readonly guard: ChunkGuard;
  readonly putChunk: BlobDraft["putChunk"];
  readonly keepChunk: BlobDraft["keepChunk"];
  readonly record: (blob: DraftBlob) => Promise<StoredBlob>;
  readonly removeUnkept: (hashes: readonly Uint8Array[]) => Promise<number>;
}

class LedgerBlobDraft implements BlobDraft {
  readonly #deps: DraftDeps;
  /** Chunks in use by this draft; one that was put twice is in it twice. */
  readonly #used: Uint8Array[] = [];
  /** Chunks that were not here before. */
  readonly #stored: Uint8Array[] = [];
  #isOver = false;

  constructor(deps: DraftDeps) {
    this.#deps = deps;
  }

  async putChunk(
    hash: Uint8Array,
    bytes: Uint8Array,
    options?: PutChunkOptions,
  ): Promise<"stored" | "present"> {
    await this.#use(hash);
    const outcome = await this.#deps.putChunk(hash, bytes, options);
    if (outcome === "stored") this.#stored.push(hash);
    return outcome;
  }

  async keepChunk(hash: Uint8Array): Promise<number | undefined> {
    await this.#use(hash);
    return await this.#deps.keepChunk(hash);
  }

  async commit(blob: DraftBlob): Promise<StoredBlob> {
    this.#requireOpen();
    const stored = await this.#deps.record(blob);
    this.#end();
    return stored;
  }

  async abort(options: { readonly keepChunks?: boolean } = {}): Promise<void> {
    if (this.#isOver) return;
    this.#end();
    if (!options.keepChunks) await this.#deps.removeUnkept(this.#stored);
  }

  async #use(hash: Uint8Array): Promise<void> {
    this.#requireOpen();
    // In use before it is written: a removal that runs meanwhile must leave it alone.
    this.#used.push(hash);
    await this.#deps.guard.use(hash);
  }

  #end(): void {
    this.#isOver = true;
    this.#deps.guard.release(this.#used);
  }

  #requireOpen(): void {
    if (!this.#isOver) return;
    throw new NetError("conflict", "Cannot go on with blob: its draft is over already");
  }
}
