/**
 * One put that can be gone on with after a crash (`dataforts.md` 11, `promises.md` D6 and 49).
 *
 * The state is the list of chunks from the start of the stream that are stored. At each checkpoint they are put
 * on the disk, held, and listed in the ledger. Going on means reading the start again, from those chunks or from
 * the same file: cuts, trees, parity and hashes come out as before, and no chunk is written twice.
 */
import { type Clock, NetError, toHex, toNetError } from "../../base/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { BlobDraft, PutChunkOptions, StoredBlob } from "../blob_draft.ts";
import type { ChunkRef } from "../blob_ref.ts";
import type { BlobStore } from "../blob_store.ts";
import type { ByteSource } from "../byte_source.ts";
import type { OnBlobProgress } from "../progress.ts";
import type { PutForm } from "../put/put_form.ts";
import {
  deleteStaging,
  extendStaging,
  insertStaging,
  renewHolds,
  type StagingRecord,
} from "./staging_queries.ts";

/** What staging counts. */
export interface StagingCounters {
  blob_staging_begun_total: number;
  blob_staging_checkpoints_total: number;
  blob_staging_resumed_total: number;
  /** Bytes that were not stored again. */
  blob_staging_resumed_bytes_total: number;
  blob_staging_finalized_total: number;
  blob_staging_aborted_total: number;
  /** Given up because nobody came back. */
  blob_staging_expired_total: number;
}

/** What {@linkcode StagedPut} needs. */
export interface StagedPutDeps {
  readonly blobs: BlobStore;
  readonly ledger: Ledger;
  /** Puts stored chunks on the disk. */
  readonly flush: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: StagingCounters;
  readonly settings: () => { readonly checkpointBytes: number; readonly ttlMs: number };
}

/** Options of {@linkcode StagedPut.run}. */
export interface RunStagedOptions {
  readonly label?: string;
  /** Plain when left out; the same as before when it is gone on with. */
  readonly form?: PutForm;
  readonly totalBytes?: number;
  readonly onProgress?: OnBlobProgress;
  readonly signal?: AbortSignal;
  /** False forgets everything when it fails, also when it was interrupted. */
  readonly isKeptWhenInterrupted?: boolean;
}

/** Owner of the holds of a staging. */
export function stagingOwner(token: string): string {
  return `staging:${token}`;
}

/** One put under way. */
export class StagedPut {
  readonly record: StagingRecord;
  readonly #deps: StagedPutDeps;
  /** Chunks of the checkpoint it goes on from, by hash. */
  readonly #known: ReadonlySet<string>;
  /** Chunks by their place; those that are stored. */
  readonly #stored = new Map<number, ChunkRef>();
  /** Stored chunks without a gap behind the last checkpoint. */
  #waiting: ChunkRef[] = [];
  #position: number;
  #bytes: number;
  #savedPosition: number;
  #savedBytes: number;
  #isRecorded: boolean;
  #checkpoint: Promise<void> = Promise.resolve();
  #isCheckpointing = false;
  #heldMs: number;

  /**
   * @param record As the ledger has it, or as it is to be.
   * @param chunks What its last checkpoint lists; `undefined` when it is not in the ledger yet.
   */
  constructor(
    deps: StagedPutDeps,
    record: StagingRecord,
    chunks: readonly ChunkRef[] | undefined,
  ) {
    this.#deps = deps;
    this.record = record;
    this.#known = new Set(chunks?.map(({ hash }) => toHex(hash)));
    this.#isRecorded = chunks !== undefined;
    this.#position = this.#savedPosition = chunks?.length ?? 0;
    this.#bytes = this.#savedBytes = chunks?.reduce((sum, { size }) => sum + size, 0) ?? 0;
    this.#heldMs = deps.clock.wallMs();
  }

  /** Bytes as of the last checkpoint. */
  get savedBytes(): number {
    return this.#savedBytes;
  }

  /**
   * Puts everything that `source` gives, which begins with the bytes of the checkpoint.
   *
   * @throws As `BlobStore.put`. When it was interrupted behind a checkpoint, what is stored is kept for going on.
   */
  async run(source: ByteSource, options: RunStagedOptions = {}): Promise<StoredBlob> {
    const { blobs, counters } = this.#deps;
    const { signal } = options;
    const draft = blobs.begin({ label: options.label });
    try {
      const stored = await this.#put(source, draft, options);
      await this.#checkpoint;
      await this.forget();
      if (this.#isRecorded) counters.blob_staging_finalized_total += 1;
      return stored;
    } catch (error) {
      const isInterrupted = signal?.aborted === true && options.isKeptWhenInterrupted !== false;
      await this.#checkpoint;
      if (isInterrupted && this.#isRecorded) {
        await this.#save();
        await draft.abort({ keepChunks: true });
      } else await this.#dropAll(draft);
      if (signal?.aborted) throw signal.reason;
      throw toNetError(error, "Cannot store blob");
    }
  }

  /** Removes it from the ledger and ends its holds; the chunks are for others to keep. */
  async forget(): Promise<void> {
    if (!this.#isRecorded) return;
    const { ledger, blobs } = this.#deps;
    await ledger.transaction((transaction) => deleteStaging(transaction, this.record.token));
    await blobs.release(stagingOwner(this.record.token));
  }

  #put(source: ByteSource, draft: BlobDraft, options: RunStagedOptions): Promise<StoredBlob> {
    const { form, onProgress, totalBytes, signal } = options;
    return this.#deps.blobs.put(source, {
      form,
      onProgress,
      totalBytes,
      signal,
      draft: {
        putChunk: (hash, bytes, chunkOptions) => this.#putChunk(draft, hash, bytes, chunkOptions),
        keepChunk: (hash) => draft.keepChunk(hash),
        commit: (blob) => draft.commit(blob),
        abort: (abortOptions) => draft.abort(abortOptions),
      },
      onStored: (index, chunk) => this.#note(index, chunk),
    });
  }

  /** What the checkpoint lists is on the disk already. */
  async #putChunk(
    draft: BlobDraft,
    hash: Uint8Array,
    bytes: Uint8Array,
    options: PutChunkOptions | undefined,
  ): Promise<"stored" | "present"> {
    const isKnown = this.#known.has(toHex(hash));
    if (isKnown && await draft.keepChunk(hash) === bytes.length) return "present";
    return await draft.putChunk(hash, bytes, options);
  }

  /** A chunk is stored; they come in any order within a few. */
  #note(index: number, chunk: ChunkRef): void {
    if (index < this.#savedPosition) return;
    this.#stored.set(index, chunk);
    for (let next = this.#stored.get(this.#position); next !== undefined;) {
      this.#stored.delete(this.#position++);
      this.#waiting.push(next);
      this.#bytes += next.size;
      next = this.#stored.get(this.#position);
    }
    if (this.#isCheckpointing || !this.#isDue()) return;
    this.#isCheckpointing = true;
    this.#checkpoint = this.#saveWhileDue();
  }

  #isDue(): boolean {
    return this.#bytes - this.#savedBytes >= this.#deps.settings().checkpointBytes;
  }

  async #saveWhileDue(): Promise<void> {
    // One that failed is tried again with the next chunk.
    while (this.#isDue() && await this.#save());
    this.#isCheckpointing = false;
  }

  /** Makes a checkpoint of what is stored without a gap; false when it failed. Never rejects. */
  async #save(): Promise<boolean> {
    const { ledger, flush, clock, counters, log, settings } = this.#deps;
    const chunks = this.#waiting;
    if (chunks.length === 0) return true;
    this.#waiting = [];
    const bytes = this.#bytes;
    const position = this.#savedPosition;
    const { token } = this.record;
    const nowMs = clock.wallMs();
    const { ttlMs } = settings();
    try {
      await flush();
      await this.#hold(chunks, nowMs, ttlMs);
      await ledger.transaction(async (transaction) => {
        if (!this.#isRecorded) await insertStaging(transaction, { ...this.record, bytes: 0 });
        await extendStaging(transaction, token, { position, chunks, bytes, nowMs });
      });
      if (!this.#isRecorded) counters.blob_staging_begun_total += 1;
      this.#isRecorded = true;
      this.#savedPosition += chunks.length;
      this.#savedBytes = bytes;
      counters.blob_staging_checkpoints_total += 1;
      // A put that takes longer than a hold lasts would lose its first chunks.
      if (nowMs - this.#heldMs > ttlMs / 4) {
        await renewHolds(ledger.db, stagingOwner(token), nowMs + ttlMs);
        this.#heldMs = nowMs;
      }
      return true;
    } catch (error) {
      // The put goes on; only going on later would begin further back.
      this.#waiting = [...chunks, ...this.#waiting];
      const { message } = toNetError(error, "Cannot make checkpoint");
      // Who knows all of it may go on with the put, so the log has only enough to find it in the list.
      log.warn("checkpoint_failed", { staging: token.slice(0, 8), reason: message });
      return false;
    }
  }

  async #hold(chunks: readonly ChunkRef[], nowMs: number, ttlMs: number): Promise<void> {
    const owner = stagingOwner(this.record.token);
    const options = { reason: "staging", owner, expiresAtMs: nowMs + ttlMs } as const;
    await this.#deps.blobs.hold(chunks.map(({ hash }) => hash), options);
  }

  async #dropAll(draft: BlobDraft): Promise<void> {
    await this.forget();
    await draft.abort();
  }
}

/**
 * Bytes of stored chunks, one behind the other, and then those of another source.
 *
 * @throws NetError `integrity` from `read` when a chunk is gone or damaged.
 */
export function chunksThen(
  blobs: Pick<BlobStore, "readChunk">,
  chunks: readonly ChunkRef[],
  then: ByteSource,
): ByteSource {
  let next = 0;
  let rest: Uint8Array = new Uint8Array(0);
  return {
    read: async (into) => {
      while (rest.length === 0) {
        const chunk = chunks[next++];
        if (chunk === undefined) return await then.read(into);
        const bytes = await blobs.readChunk(chunk.hash);
        if (bytes?.length !== chunk.size) {
          throw new NetError("integrity", "Cannot go on with put: a chunk of it is gone", {
            next: "repeat the whole command",
          });
        }
        rest = bytes;
      }
      const taken = rest.subarray(0, into.length);
      into.set(taken);
      rest = rest.subarray(taken.length);
      return taken.length;
    },
  };
}
