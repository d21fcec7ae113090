/** The drafts of a store over the ledger: they keep their chunks in use, and record through their store. */
import { NetError } from "../../base/mod.ts";
import type { ChunkGuard } from "../_chunk_guard.ts";
import type { SmallChunk } from "../chunk_store.ts";
import type { BlobDraft, DraftBlob, PutChunkOptions, StoredBlob } from "../blob_draft.ts";

/** What a draft does through its store. */
export interface DraftDeps {
  readonly guard: ChunkGuard;
  readonly putChunk: BlobDraft["putChunk"];
  /** The outcome of each; of one without, it is put alone. */
  readonly putMany: (
    chunks: readonly SmallChunk[],
  ) => Promise<readonly ("stored" | "present" | undefined)[]>;
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

  async putMany(chunks: readonly SmallChunk[]): Promise<readonly ("stored" | "present")[]> {
    this.#requireOpen();
    const hashes = chunks.map(({ hash }) => hash);
    for (const hash of hashes) this.#used.push(hash);
    await this.#deps.guard.useMany(hashes);
    const quick = await this.#deps.putMany(chunks);
    const outcomes: ("stored" | "present")[] = [];
    // Known as ours before another fails.
    for (const [i, { hash }] of chunks.entries()) {
      if (quick[i] === "stored") this.#stored.push(hash);
    }
    for (const [i, { hash, bytes }] of chunks.entries()) {
      const done = quick[i];
      const outcome = done ?? await this.#deps.putChunk(hash, bytes, { isPacked: true });
      outcomes.push(outcome);
      if (done !== undefined) continue;
      if (outcome === "stored") this.#stored.push(hash);
    }
    return outcomes;
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
    else await this.#deps.removeUnkept(this.#stored);
  }

  async #use(hash: Uint8Array): Promise<void> {
    this.#requireOpen();
    // In use before it is written: a removal that runs meanwhile must leave it alone.
    this.#used.push(hash);
    await this.#deps.guard.use(hash);
  }

  async #end(): Promise<void> {
    this.#isOver = true;
    await this.#deps.guard.releaseMany(this.#used, this.#deps.pause);
  }

  #requireOpen(): void {
    if (!this.#isOver) return;
    throw new NetError("conflict", "Cannot go on with blob: its draft is over already");
  }
}
