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
import { formatAddress } from "./address.ts";
import type { BlobDraft, BlobDraftOptions, DraftBlob, StoredBlob } from "./blob_draft.ts";
import { type BlobRef, decodeBlobRef, encodeBlobRef } from "./blob_ref.ts";
import type { ByteSource } from "./byte_source.ts";
import {
  type ChunkRecord,
  deleteHolds,
  type HoldReason,
  insertHolds,
  listChunks,
  listHoldOwners,
  pinChunks,
} from "./chunk_queries.ts";
import type { ChunkStore, StoreRoom } from "./chunk_store.ts";
import { Auditor, type AuditReport } from "./keep/auditor.ts";
import { type BlobState, readBlobState } from "./keep/blob_state.ts";
import { type ChunkChange, ChunkKeeper } from "./keep/chunk_keeper.ts";
import { type CollectOptions, Collector, type CollectReport } from "./keep/collector.ts";
import { type ChunkExplanation, explainChunk } from "./keep/explain.ts";
import { LedgerBlobDraft } from "./keep/ledger_draft.ts";
import { RoomMaker, type RoomMakerCounters } from "./keep/room_maker.ts";
import { readStanding } from "./keep/standing.ts";
import { findStripes } from "./keep/stripes.ts";
import type { ChunkStanding } from "./policy/gc.ts";
import { type OnStored, putBlob } from "./put/put_blob.ts";
import type { PutForm } from "./put/put_form.ts";
import { listBlobHashes } from "./replica/replica_queries.ts";
import type { WorkPool } from "./work/mod.ts";
import { createProgressGate, type OnBlobProgress } from "./progress.ts";
import {
  type BlobCursor,
  type BlobFilter,
  type BlobRecord,
  deleteBlob,
  insertBlob,
  listBlobs,
  listOrphans,
  ORPHANS_MAX,
  pinBlob,
  readBlob,
  readCursorBehind,
  readRefByHash,
} from "./queries.ts";

/** What {@linkcode createBlobStore} needs. */
export interface BlobStoreDeps {
  readonly ledger: Ledger;
  readonly chunks: ChunkStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Who hashes; all is done in line when left out. */
  readonly work?: WorkPool;
}

/** Options of {@linkcode BlobStore.put}. */
export interface PutBlobOptions {
  /** How it is cut and protected; plain when left out. */
  readonly form?: PutForm;
  /** See {@linkcode BlobDraftOptions}; a draft that is given says it itself. */
  readonly isSynced?: boolean;
  /** Bytes to come, for progress; `undefined` when nobody knows. */
  readonly totalBytes?: number;
  readonly label?: string;
  /** The draft to put into; who gives one ends it. One of its own when left out. */
  readonly draft?: BlobDraft;
  /** Told of each chunk of the stream that is stored, in any order within a few. */
  readonly onStored?: OnStored;
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

/** How chunks are held. */
export interface HoldOptions {
  readonly reason: HoldReason;
  /** Who holds them, 1 to 255 characters, such as `staging:TOKEN`; holds again what it holds already. */
  readonly owner: string;
  /** Unix milliseconds; without it the hold lasts until it is released. */
  readonly expiresAtMs?: number;
}

/** Options of {@linkcode BlobStore.list}. */
export interface ListBlobsOptions {
  readonly limit?: number;
  readonly after?: BlobCursor;
  readonly filter?: BlobFilter;
}

/** Options of {@linkcode BlobStore.listChunks}. */
export interface ListChunksOptions {
  readonly limit?: number;
  readonly after?: Uint8Array;
  /** Lower-case hex digits that the hash begins with. */
  readonly prefix?: string;
}

/** Blobs a listing gives at most at once. */
export const LIST_LIMIT_MAX = 1_000;

/** Owners that are listed. */
const HOLD_OWNERS_MAX = 100_000;

/** Chunks held in one transaction: whoever else needs the ledger waits no longer than for those. */
const HOLDS_AT_ONCE = 4_096;

/** Blobs that a filter looks at in one go. */
const LIST_PART = 2_000;

/** What a row of a chunk takes in the ledger, with its indexes and in its write-ahead log. */
const ROW_BYTES = 1_024;

/** The blobs of this node. */
export interface BlobStore {
  readonly counters: BlobStoreCounters;
  /** What making room in a full store came to. */
  readonly roomCounters: Readonly<RoomMakerCounters>;
  /** Begins a blob; every way of making one goes through this. */
  begin(options?: BlobDraftOptions): BlobDraft;
  /**
   * Stores everything `source` gives; when the promise resolves it survives a loss of power.
   *
   * @throws NetError `no_space`, `limit`, `usage` for a form that cannot be put; the reason of `signal`. Then
   * nothing of it is listed.
   */
  put(source: ByteSource, options?: PutBlobOptions): Promise<StoredBlob>;
  /** The record of a blob by its address or the root of its tree, or `undefined`. */
  stat(address: Uint8Array): Promise<BlobRecord | undefined>;
  /** Blobs, newest first. */
  list(options?: ListBlobsOptions): Promise<BlobPage>;
  /** Chunks by hash, whoever refers to them; at most {@linkcode LIST_LIMIT_MAX} at once. */
  listChunks(options?: ListChunksOptions): Promise<readonly ChunkRecord[]>;
  /** How much of a blob is here, and who holds parts of it; `undefined` when it is not here. */
  stateOf(address: Uint8Array): Promise<BlobState | undefined>;
  /**
   * Pins a blob with all its chunks, or lets it go; where there is no such blob, a chunk.
   *
   * @returns What it was; `undefined` when there is neither.
   */
  pin(hash: Uint8Array, isPinned: boolean): Promise<"blob" | "chunk" | undefined>;
  /**
   * Everything that keeps a chunk, with names and times; `undefined` when it is not known here.
   *
   * @param retentionMs How long chunks stay that nothing needs.
   */
  explain(hash: Uint8Array, retentionMs: number): Promise<ChunkExplanation | undefined>;
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
  /**
   * A chunk that is here, verified; a view of `into` when that was given and holds it.
   *
   * @param options Quiet: nobody wants the bytes, they are only looked at, and it does not count as a read.
   */
  readChunk(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
    options?: { readonly isQuiet?: boolean },
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
   * Removes the copy of a chunk though a blob may refer to it, because others are known to have it; its size, or
   * `undefined` when it stays: pinned, held, in use, not here, or in a stripe that could bear no more loss.
   */
  dropCopy(hash: Uint8Array): Promise<number | undefined>;
  /**
   * Keeps chunks until they are released, over restarts too. A hold is a wish: whoever needs the bytes looks after
   * it with `hasChunk`.
   */
  hold(hashes: readonly Uint8Array[], options: HoldOptions): Promise<void>;
  /** Ends the holds of an owner, of all chunks or of these; how many there were. */
  release(owner: string, hashes?: readonly Uint8Array[]): Promise<number>;
  /** Owners of holds whose names begin so, in order; at most 100,000. */
  holdOwners(prefix: string): Promise<readonly string[]>;
  /** What keeps a chunk, apart from its stripe; `undefined` when it was never here. */
  standingOf(hash: Uint8Array): Promise<ChunkStanding | undefined>;
  /** Room of the store. */
  room(): StoreRoom;
  /** Told of every chunk that came or went; gives what ends it. */
  onChange(listener: (change: ChunkChange) => void): () => void;
  /** Told of every chunk that was read here, for somebody here or a peer; gives what ends it. */
  onRead(listener: (hash: Uint8Array) => void): () => void;
  /**
   * Removes chunks that nothing needs, in a pass over all of them that leaves room for other work.
   *
   * @throws The signal's reason; what was removed until then is gone.
   */
  collect(options: CollectOptions): Promise<CollectReport>;
  /**
   * Compares the books with what is there, and mends them. For a quiet time after the start.
   *
   * @throws The signal's reason.
   */
  audit(options?: { readonly signal?: AbortSignal }): Promise<AuditReport>;
  /** Gives chunks without a row one, so that they are collected in time; how many. A part of an audit. */
  adoptStrangers(options?: { readonly signal?: AbortSignal }): Promise<number>;
  /** Writes what may wait in memory to the ledger. */
  settle(): Promise<void>;
  /** Makes a blob that was put without syncing it survive a loss of power, by this process or one before. */
  sync(address: Uint8Array): Promise<void>;
}

/** Chunks looked at between two pauses. */
const SYNC_PAUSE = 64;

/** Blobs put without syncing them that are known as such; one more, and the oldest is synced. */
const UNSYNCED_MAX = 4_096;

/** Blobs known to be synced, about 150 B each; of another one each chunk is looked at. */
const SYNCED_MAX = 4_096;

/** Creates the store over an open ledger and chunk store. */
export function createBlobStore(deps: BlobStoreDeps): Promise<BlobStore> {
  return Promise.resolve(new LedgerBlobStore(deps));
}

class LedgerBlobStore implements BlobStore {
  readonly counters: BlobStoreCounters;
  readonly #deps: BlobStoreDeps;
  readonly #keeper: ChunkKeeper;
  readonly #collector: Collector;
  readonly #auditor: Auditor;
  /** Blobs that were put without syncing them, oldest first, by address in hex. */
  readonly #unsynced = new Set<string>();
  /** Blobs that need no sync any more, oldest first. */
  readonly #synced = new Set<string>();
  readonly #roomMaker: RoomMaker;
  #dropping: Promise<unknown> = Promise.resolve();

  constructor(deps: BlobStoreDeps) {
    this.#deps = deps;

    const keeper = this.#keeper = new ChunkKeeper({
      ...deps,
      makeRoom: (bytes) => this.#roomMaker.make(bytes),
    });
    this.#roomMaker = new RoomMaker({
      ...deps,
      keeper,
      room: () => deps.chunks.room(),
      removeBlob: async (address) => (await this.remove(address))?.freedBytes ?? 0,
    });
    this.#collector = new Collector({ ...deps, keeper });
    this.#auditor = new Auditor({ ...deps, keeper });
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

  get roomCounters(): Readonly<RoomMakerCounters> {
    return this.#roomMaker.counters;
  }

  begin(options: BlobDraftOptions = {}): BlobDraft {
    const keeper = this.#keeper;
    const { isSynced = true } = options;
    return new LedgerBlobDraft({
      guard: keeper.guard,
      putChunk: (hash, bytes, chunkOptions) =>
        keeper.put(hash, bytes, isSynced ? chunkOptions : { ...chunkOptions, isDurable: false }),
      putMany: (chunks) => isSynced ? keeper.putMany(chunks) : Promise.resolve([]),
      keepChunk: (hash) => isSynced ? this.#deps.chunks.keep(hash) : this.#deps.chunks.has(hash),
      record: (blob) => this.#record(blob, options),
      pause: () => this.#pause(),
      removeUnkept: (hashes) => keeper.removeUnkept(hashes),
      keepLoose: () => this.#roomMaker.noteReleased(),
    });
  }

  async put(source: ByteSource, options: PutBlobOptions = {}): Promise<StoredBlob> {
    const { clock } = this.#deps;
    const { totalBytes, label, form, isSynced, onStored, onProgress, signal } = options;
    const gate = createProgressGate(clock, onProgress);
    const draft = options.draft ?? this.begin({ label, isSynced });
    try {
      const stored = await putBlob(source, draft, {
        form,
        onStored,
        work: this.#deps.work,
        onBytes: (doneBytes) => gate.update({ stage: "store", doneBytes, totalBytes }),
        signal,
      });
      const { size } = stored;
      gate.finish({ stage: "store", doneBytes: size, totalBytes: size });
      return stored;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw toNetError(error, "Cannot store blob");
    } finally {
      if (options.draft === undefined) await draft.abort();
    }
  }

  stat(address: Uint8Array): Promise<BlobRecord | undefined> {
    return readBlob(this.#deps.ledger.db, address);
  }

  async list(options: ListBlobsOptions = {}): Promise<BlobPage> {
    const { ledger: { db } } = this.#deps;
    const { filter } = options;
    const limit = Math.min(Math.max(options.limit ?? 100, 1), LIST_LIMIT_MAX);
    const found: BlobRecord[] = [];
    let after = options.after;
    for (;;) {
      // A filter may leave nothing of a million blobs: they are looked at part by part.
      const until = filter && await readCursorBehind(db, after, LIST_PART);
      found.push(
        ...await listBlobs(db, { limit: limit + 1 - found.length, after, until, filter }),
      );
      if (until === undefined || found.length > limit) break;
      after = until;
      await this.#pause();
    }
    const blobs = found.slice(0, limit);
    const last = found.length > limit ? blobs.at(-1) : undefined;
    const next = last && { createdAtMs: last.createdAtMs, address: last.address };
    return { blobs, next };
  }

  async listChunks(options: ListChunksOptions = {}): Promise<readonly ChunkRecord[]> {
    await this.settle();
    const limit = Math.min(Math.max(options.limit ?? 100, 1), LIST_LIMIT_MAX);
    return await listChunks(this.#deps.ledger.db, { ...options, limit });
  }

  async stateOf(address: Uint8Array): Promise<BlobState | undefined> {
    await this.settle();
    const { ledger: { db }, clock } = this.#deps;
    const record = await this.stat(address);
    return record && await readBlobState(db, clock, record.address, record.chunkCount);
  }

  async pin(hash: Uint8Array, isPinned: boolean): Promise<"blob" | "chunk" | undefined> {
    await this.settle();
    const { db } = this.#deps.ledger;
    const record = await this.stat(hash);
    const isBlob = record !== undefined && await pinBlob(db, record.address, isPinned);
    const isChunk = !isBlob && await this.#pinChunk(hash, isPinned);
    if (!isPinned) this.#roomMaker.noteReleased();
    if (isBlob) return "blob";
    return isChunk ? "chunk" : undefined;
  }

  async explain(hash: Uint8Array, retentionMs: number): Promise<ChunkExplanation | undefined> {
    await this.settle();
    const { ledger: { db }, clock } = this.#deps;
    return await explainChunk(db, this.#keeper.guard, hash, clock.wallMs(), retentionMs);
  }

  async remove(target: Uint8Array): Promise<{ readonly freedBytes: number } | undefined> {
    const { ledger } = this.#deps;
    const keeper = this.#keeper;
    const address = (await this.stat(target))?.address;
    if (address === undefined) return undefined;
    const pause = () => this.#pause();
    const forget = () =>
      ledger.transaction((transaction) => deleteBlob(transaction, address, pause));
    let freedBytes = 0;
    let orphans: Uint8Array[] | undefined;
    try {
      orphans = await forget();
    } catch (error) {
      if (!(error instanceof NetError) || error.code !== "no_space") throw error;
      // Even forgetting takes some room in the ledger, and on a full disk only the chunks can give it. A
      // crash before the second try leaves a record without chunks, which can be removed again.
      const own = await listOrphans(ledger.db, address, pause);
      freedBytes = (await keeper.removeUnkept(own, undefined, address)).freedBytes;
      orphans = await forget();
    }
    if (orphans === undefined) return undefined;
    const rest = await keeper.removeUnkept(orphans);
    // What was in use at this moment is free later.
    if (rest.busy > 0 || orphans.length === ORPHANS_MAX) this.#roomMaker.noteReleased();
    return { freedBytes: freedBytes + rest.freedBytes };
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

  readChunk(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
    options?: { readonly isQuiet?: boolean },
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#keeper.read(hash, into, options?.isQuiet);
  }

  async addChunk(
    hash: Uint8Array,
    bytes: Uint8Array,
    options: { readonly isDurable?: boolean } = {},
  ): Promise<"stored" | "present"> {
    const outcome = await this.#keeper.add(hash, bytes, options.isDurable ?? false);
    if (outcome === "stored") this.#roomMaker.noteLoose(hash);
    return outcome;
  }

  async removeChunk(hash: Uint8Array): Promise<number | undefined> {
    await this.settle();
    const { count, freedBytes } = await this.#keeper.removeUnkept([hash]);
    return count === 0 ? undefined : freedBytes;
  }

  dropCopy(hash: Uint8Array): Promise<number | undefined> {
    // One after the other: two chunks of a stripe may each be spared, and not both.
    const dropped = this.#dropping.then(() => this.#dropCopy(hash));
    this.#dropping = dropped.catch(() => {}); // Whoever asked is told.
    return dropped;
  }

  async hold(hashes: readonly Uint8Array[], options: HoldOptions): Promise<void> {
    const { guard } = this.#keeper;
    const { reason, owner, expiresAtMs } = options;
    for (let start = 0; start < hashes.length; start += HOLDS_AT_ONCE) {
      const part = hashes.slice(start, start + HOLDS_AT_ONCE);
      await guard.useMany(part);
      try {
        await this.#deps.ledger.transaction((transaction) =>
          insertHolds(transaction, part, { reason, owner, expiresAtMs })
        );
      } finally {
        guard.release(part);
      }
    }
  }

  async release(owner: string, hashes?: readonly Uint8Array[]): Promise<number> {
    const pause = () => this.#pause();
    const count = await deleteHolds(this.#deps.ledger.db, owner, hashes, pause);
    if (count > 0) this.#roomMaker.noteReleased();
    return count;
  }

  holdOwners(prefix: string): Promise<readonly string[]> {
    return listHoldOwners(this.#deps.ledger.db, prefix, HOLD_OWNERS_MAX);
  }

  async standingOf(hash: Uint8Array): Promise<ChunkStanding | undefined> {
    await this.settle();
    const { ledger: { db }, clock } = this.#deps;
    return await readStanding(db, this.#keeper.guard, hash, clock.wallMs());
  }

  room(): StoreRoom {
    return this.#deps.chunks.room();
  }

  onChange(listener: (change: ChunkChange) => void): () => void {
    return this.#keeper.onChange(listener);
  }

  onRead(listener: (hash: Uint8Array) => void): () => void {
    return this.#keeper.onRead(listener);
  }

  async collect(options: CollectOptions): Promise<CollectReport> {
    const report = await this.#collector.collect(options);
    this.counters.dataforts_blob_gc_swept_total += report.removed;
    return report;
  }

  async audit(options: { readonly signal?: AbortSignal } = {}): Promise<AuditReport> {
    const report = await this.#auditor.audit(options.signal);
    if (report.adopted > 0) this.#roomMaker.noteReleased();
    return report;
  }

  adoptStrangers(options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    return this.#keeper.adoptStrangers(options.signal);
  }

  settle(): Promise<void> {
    return this.#keeper.settle();
  }

  async sync(address: Uint8Array): Promise<void> {
    const key = toHex(address);
    const { chunks, ledger } = this.#deps;
    // What an earlier process put, and whether it synced it, nobody knows any more.
    if (this.#synced.has(key)) return;
    const hashes = await listBlobHashes(ledger.db, address);
    for (const [i, hash] of hashes.entries()) {
      if (i % SYNC_PAUSE === SYNC_PAUSE - 1) await this.#pause();
      await chunks.keep(hash);
    }
    await chunks.flush();
    this.#noteSynced(key);
  }

  async #pinChunk(hash: Uint8Array, isPinned: boolean): Promise<boolean> {
    const { guard } = this.#keeper;
    await guard.use(hash);
    try {
      return await pinChunks(this.#deps.ledger.db, [hash], isPinned) > 0;
    } finally {
      guard.release([hash]);
    }
  }

  async #dropCopy(hash: Uint8Array): Promise<number | undefined> {
    await this.settle();
    const { ledger: { db }, clock } = this.#deps;
    const standing = await readStanding(db, this.#keeper.guard, hash, clock.wallMs());
    if (standing === undefined || standing.isPinned || standing.isStripeShort) return undefined;
    const { count, freedBytes } = await this.#keeper.removeUnkept(
      [hash],
      ({ isPinned, holds }) => isPinned || holds.length > 0,
    );
    return count === 0 ? undefined : freedBytes;
  }

  async #record(blob: DraftBlob, options: BlobDraftOptions): Promise<StoredBlob> {
    const { chunks: chunkStore, clock, ledger } = this.#deps;
    const { address, ref, size, kind } = blob;
    const chunks = [...blob.chunks];
    const blobRef = encodeBlobRef(ref);
    const stripes = await findStripes(ref, (hash) => chunkStore.read(hash));
    const { isSynced = true } = options;
    if (isSynced) await chunkStore.flush();
    const row = {
      address,
      blobRef,
      refHash: blake3(blobRef),
      treeRoot: ref.kind === "tree" ? ref.rootHash : undefined,
      size,
      chunks,
      stripes,
      kind,
      origin: options.origin ?? "put",
      createdAtMs: clock.wallMs(),
      label: options.label ?? "",
    };
    await this.#keeper.withRoom(
      ROW_BYTES * chunks.length,
      () => ledger.transaction((transaction) => insertBlob(transaction, row)),
    );
    if (isSynced) this.#noteSynced(toHex(address));
    else await this.#noteUnsynced(address);
    this.counters.dataforts_blobs_stored_total += 1;
    this.counters.dataforts_blob_bytes_stored_total += size;
    const text = formatAddress(address);
    return { address: text, hash: address, ref, blobRef, size, chunkCount: chunks.length };
  }

  /** Other work has its turn. */
  #pause(): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.soon(resolve));
  }

  #noteSynced(key: string): void {
    this.#unsynced.delete(key);
    this.#synced.add(key);
    const [oldest] = this.#synced;
    if (this.#synced.size > SYNCED_MAX && oldest !== undefined) this.#synced.delete(oldest);
  }

  async #noteUnsynced(address: Uint8Array): Promise<void> {
    this.#synced.delete(toHex(address));
    this.#unsynced.add(toHex(address));
    const [oldest] = this.#unsynced;
    if (this.#unsynced.size > UNSYNCED_MAX && oldest !== undefined) {
      await this.sync(Uint8Array.fromHex(oldest));
    }
  }
}
