/**
 * The blobs of this node: chunks in a chunk store, records in the ledger (`dataforts.md` 3, 7, 9, 10).
 *
 * A blob is put in this order: chunks durable, then one transaction, then its address is told. It is
 * removed the other way round, so that a crash leaves at most chunks that nothing refers to. Those are found by
 * `adoptStrangers` and stay for the retention floor: what was interrupted may come back for them. Nothing here
 * talks to peers.
 */
import type { Clock } from "../base/mod.ts";
import type { Ledger } from "../core/ledger/mod.ts";
import type { Log } from "../observe/mod.ts";
import type { BlobDraft, BlobDraftOptions, StoredBlob } from "./blob_draft.ts";
import type { BlobRef } from "./blob_ref.ts";
import type { ByteSource } from "./byte_source.ts";
import type { ChunkRecord, HoldReason } from "./chunk_queries.ts";
import type { ChunkStore, ReadChunkOptions, StoreRoom } from "./chunk_store.ts";
import type { AuditReport } from "./keep/auditor.ts";
import type { BlobState } from "./keep/blob_state.ts";
import type { ChunkChange } from "./keep/chunk_keeper.ts";
import type { CollectOptions, CollectReport } from "./keep/collector.ts";
import type { ChunkExplanation } from "./keep/explain.ts";
import { LedgerBlobStore } from "./keep/ledger_blob_store.ts";
import type { Lending, LentChunks } from "./lent/mod.ts";
import type { RoomMakerCounters } from "./keep/room_maker.ts";
import type { ChunkStanding } from "./policy/gc.ts";
import type { OnBlobProgress } from "./progress.ts";
import type { OnStored } from "./put/put_blob.ts";
import type { PutForm } from "./put/put_form.ts";
import type { BlobCursor, BlobFilter, BlobRecord } from "./queries.ts";
import type { WorkPool } from "./work/mod.ts";

/** What {@linkcode createBlobStore} needs. */
export interface BlobStoreDeps {
  readonly ledger: Ledger;
  readonly chunks: ChunkStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Who hashes; all is done in line when left out. */
  readonly work?: WorkPool;
  /** Chunks that are here without being in the store yet; there are none when left out. */
  readonly lent?: LentChunks;
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

export { LIST_LIMIT_MAX } from "./limits.ts";

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
  /** Chunks by hash, whoever refers to them; at most `LIST_LIMIT_MAX` at once. */
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
    options?: ReadChunkOptions & { readonly isQuiet?: boolean },
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
  /**
   * Begins to count chunks of a file that is written as chunks that are here; the store takes them over later.
   *
   * @returns `undefined` where they have to be added one by one.
   */
  lend(path: string): Promise<Lending | undefined>;
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

/** Creates the store over an open ledger and chunk store. */
export function createBlobStore(deps: BlobStoreDeps): Promise<BlobStore> {
  return Promise.resolve(new LedgerBlobStore(deps));
}
