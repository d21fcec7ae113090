/**
 * The blob store over a ledger and a chunk store: what `BlobStore` promises, made of the keeper of the chunks, who
 * collects, who makes room, who audits, and the queries.
 */
import { concatBytes, NetError, toNetError } from "../../base/mod.ts";
import { formatAddress } from "../address.ts";
import type { BlobDraft, BlobDraftOptions, StoredBlob } from "../blob_draft.ts";
import { type BlobRef, decodeBlobRef } from "../blob_ref.ts";
import type { ByteSource } from "../byte_source.ts";
import {
  type ChunkRecord,
  deleteHolds,
  insertHolds,
  listChunks,
  listHoldOwners,
  pinChunks,
} from "../chunk_queries.ts";
import type { ReadChunkOptions, StoreRoom } from "../chunk_store.ts";
import { BlobRecorder } from "./_blob_recorder.ts";
import { Auditor, type AuditReport } from "./auditor.ts";
import { type BlobState, readBlobState } from "./blob_state.ts";
import { type ChunkChange, ChunkKeeper } from "./chunk_keeper.ts";
import { type CollectOptions, Collector, type CollectReport } from "./collector.ts";
import { type ChunkExplanation, explainChunk } from "./explain.ts";
import { LedgerBlobDraft } from "./ledger_draft.ts";
import { RoomMaker, type RoomMakerCounters } from "./room_maker.ts";
import { readStanding } from "./standing.ts";
import { SyncBook } from "./sync_book.ts";
import type { ChunkStanding } from "../policy/gc.ts";
import { putBlob } from "../put/put_blob.ts";
import type { Lending } from "../lent/mod.ts";
import { LIST_LIMIT_MAX } from "../limits.ts";
import { createProgressGate } from "../progress.ts";
import {
  type BlobRecord,
  deleteBlob,
  listBlobs,
  listOrphans,
  ORPHANS_MAX,
  pinBlob,
  readBlob,
  readCursorBehind,
  readRefByHash,
} from "../queries.ts";
import type {
  BlobPage,
  BlobStore,
  BlobStoreCounters,
  BlobStoreDeps,
  HoldOptions,
  ListBlobsOptions,
  ListChunksOptions,
  PutBlobOptions,
} from "../blob_store.ts";

/** Owners that are listed. */
const HOLD_OWNERS_MAX = 100_000;

/** Chunks held in one transaction: whoever else needs the ledger waits no longer than for those. */
const HOLDS_AT_ONCE = 4_096;

/** Blobs that a filter looks at in one go. */
const LIST_PART = 2_000;

/** A blob store over a ledger. */
export class LedgerBlobStore implements BlobStore {
  readonly counters: BlobStoreCounters;
  readonly #deps: BlobStoreDeps;
  readonly #keeper: ChunkKeeper;
  readonly #collector: Collector;
  readonly #auditor: Auditor;
  readonly #syncs: SyncBook;
  readonly #roomMaker: RoomMaker;
  readonly #recorder: BlobRecorder;
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
    this.#syncs = new SyncBook(deps);
    this.counters = {
      dataforts_blobs_stored_total: 0,
      dataforts_blobs_fetched_total: 0,
      dataforts_blob_bytes_stored_total: 0,
      dataforts_blob_gc_swept_total: 0,
      get dataforts_blob_disk_used_bytes() {
        return deps.chunks.room().usedBytes;
      },
    };
    this.#recorder = new BlobRecorder({
      ...deps,
      keeper,
      syncs: this.#syncs,
      counters: this.counters,
    });
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
      putMany: (chunks) =>
        isSynced ? keeper.putMany(chunks) : Promise.resolve(new Uint8Array(chunks.count)),
      keepChunk: (hash) => isSynced ? this.#deps.chunks.keep(hash) : this.#deps.chunks.has(hash),
      record: (blob) => this.#recorder.record(blob, options),
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

  async hasChunk(hash: Uint8Array): Promise<number | undefined> {
    return await this.#deps.chunks.has(hash) ?? this.#deps.lent?.sizeOf(hash);
  }

  async readChunk(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
    options?: ReadChunkOptions & { readonly isQuiet?: boolean },
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { lent } = this.#deps;
    const taken = lent?.counters.lent_taken_total;
    const bytes = await this.#keeper.read(hash, into, options) ?? await lent?.read(hash, into);
    if (bytes !== undefined || lent?.counters.lent_taken_total === taken) return bytes;
    // It may have come from the one to the other between the two looks.
    return await this.#keeper.read(hash, into, options);
  }

  lend(path: string): Promise<Lending | undefined> {
    return this.#deps.lent?.lend(path) ?? Promise.resolve(undefined);
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
      const joined = concatBytes(...part);
      await guard.useMany(joined);
      try {
        await this.#deps.ledger.transaction((transaction) =>
          insertHolds(transaction, part, { reason, owner, expiresAtMs })
        );
      } finally {
        guard.release(joined);
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

  sync(address: Uint8Array): Promise<void> {
    return this.#syncs.sync(address);
  }

  async #pinChunk(hash: Uint8Array, isPinned: boolean): Promise<boolean> {
    const { guard } = this.#keeper;
    await guard.use(hash);
    try {
      return await pinChunks(this.#deps.ledger.db, [hash], isPinned) > 0;
    } finally {
      guard.release(hash);
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

  /** Other work has its turn. */
  #pause(): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.soon(resolve));
  }
}
