/** The drafts of a store over the ledger: they keep their chunks in use, and record through their store. */
import { NetError } from "../../base/mod.ts";
import type { ChunkGuard } from "../_chunk_guard.ts";
import { PUT_FAILED, PUT_STORED, type SmallChunks } from "../chunk_store.ts";
import { HASH_BYTES } from "../limits.ts";
import { HashList } from "./_hash_list.ts";
import type { BlobDraft, DraftBlob, PutChunkOptions, StoredBlob } from "../blob_draft.ts";

/** What a draft does through its store. */
export interface DraftDeps {
  readonly guard: ChunkGuard;
  readonly putChunk: BlobDraft["putChunk"];
  /** `PUT_…` of each; one that failed is put alone. */
  readonly putMany: (chunks: SmallChunks) => Promise<Uint8Array>;
  readonly keepChunk: BlobDraft["keepChunk"];
  readonly record: (blob: DraftBlob) => Promise<StoredBlob>;
  /** Other work has its turn. */
  readonly pause: () => Promise<void>;
  readonly removeUnkept: (hashes: readonly Uint8Array[]) => Promise<unknown>;
  /** Told when chunks stay that nothing refers to. */
  readonly keepLoose: () => void;
}

/** A blob in the making. */
export class LedgerBlobDraft implements BlobDraft {
  readonly #deps: DraftDeps;
  /** Chunks in use by this draft; one that was put twice is in it twice. Those that were not here before are marked. */
  readonly #used = new HashList();
  #isOver = false;

  constructor(deps: DraftDeps) {
    this.#deps = deps;
  }

  async putChunk(
    hash: Uint8Array,
    bytes: Uint8Array,
    options?: PutChunkOptions,
  ): Promise<"stored" | "present"> {
    const number = await this.#use(hash);
    const outcome = await this.#deps.putChunk(hash, bytes, options);
    if (outcome === "stored") this.#used.mark(number);
    return outcome;
  }

  async putMany(chunks: SmallChunks): Promise<void> {
    this.#requireOpen();
    const { count, hashes, sizes, bytes } = chunks;
    const first = this.#used.add(hashes);
    await this.#deps.guard.useMany(hashes);
    const outcomes = await this.#deps.putMany(chunks);
    // Known as ours before another fails.
    for (let i = 0; i < count; i++) {
      if (outcomes[i] === PUT_STORED) this.#used.mark(first + i);
    }
    for (let i = 0, at = 0; i < count; i++) {
      const size = sizes[i] ?? 0;
      if (outcomes[i] === PUT_FAILED) {
        const hash = hashes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES);
        const piece = bytes.subarray(at, at + size);
        const outcome = await this.#deps.putChunk(hash, piece, { isPacked: true });
        if (outcome === "stored") this.#used.mark(first + i);
      }
      at += size;
    }
  }

  async keepChunk(hash: Uint8Array): Promise<number | undefined> {
    await this.#use(hash);
    return await this.#deps.keepChunk(hash);
  }

  async commit(blob: DraftBlob): Promise<StoredBlob> {
    this.#requireOpen();
    const stored = await this.#deps.record(blob);
    await this.#end();
    return stored;
  }

  async abort(options: { readonly keepChunks?: boolean } = {}): Promise<void> {
    if (this.#isOver) return;
    await this.#end();
    if (options.keepChunks) this.#deps.keepLoose();
    else await this.#deps.removeUnkept(this.#used.marked());
  }

  async #use(hash: Uint8Array): Promise<number> {
    this.#requireOpen();
    // In use before it is written: a removal that runs meanwhile must leave it alone.
    const number = this.#used.add(hash);
    await this.#deps.guard.use(hash);
    return number;
  }

  async #end(): Promise<void> {
    this.#isOver = true;
    await this.#deps.guard.releaseMany(this.#used.parts(), this.#deps.pause);
  }

  #requireOpen(): void {
    if (!this.#isOver) return;
    throw new NetError("conflict", "Cannot go on with blob: its draft is over already");
  }
}
