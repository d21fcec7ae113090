/** Which blobs were put without syncing them, and makes those survive a loss of power. */
import { type Clock, toHex } from "../../base/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";
import type { ChunkStore } from "../chunk_store.ts";
import { listBlobHashes } from "../replica/replica_queries.ts";

/** What {@linkcode SyncBook} needs. */
export interface SyncBookDeps {
  readonly ledger: Ledger;
  readonly chunks: ChunkStore;
  readonly clock: Clock;
}

/** Chunks looked at between two pauses. */
const PAUSE_CHUNKS = 64;

/** Blobs put without syncing them that are known as such; one more, and the oldest is synced. */
const UNSYNCED_MAX = 4_096;

/** Blobs known to be synced, about 150 B each; of another one each chunk is looked at. */
const SYNCED_MAX = 4_096;

/** Knows what is synced. */
export class SyncBook {
  readonly #deps: SyncBookDeps;
  /** Blobs that were put without syncing them, oldest first, by address in hex. */
  readonly #unsynced = new Set<string>();
  /** Blobs that need no sync any more, oldest first. */
  readonly #synced = new Set<string>();

  constructor(deps: SyncBookDeps) {
    this.#deps = deps;
  }

  /** Makes a blob survive a loss of power. */
  async sync(address: Uint8Array): Promise<void> {
    // What an earlier process put, and whether it synced it, nobody knows any more.
    if (this.#synced.has(toHex(address))) return;
    const { chunks, clock, ledger } = this.#deps;
    const hashes = await listBlobHashes(ledger.db, address);
    for (const [i, hash] of hashes.entries()) {
      if (i % PAUSE_CHUNKS === PAUSE_CHUNKS - 1) {
        await new Promise<void>((resolve) => clock.soon(resolve));
      }
      await chunks.keep(hash);
    }
    await chunks.flush();
    this.noteSynced(address);
  }

  /** A blob was put and synced. */
  noteSynced(address: Uint8Array): void {
    const key = toHex(address);
    this.#unsynced.delete(key);
    this.#synced.add(key);
    const [oldest] = this.#synced;
    if (this.#synced.size > SYNCED_MAX && oldest !== undefined) this.#synced.delete(oldest);
  }

  /** A blob was put without syncing it. */
  async noteUnsynced(address: Uint8Array): Promise<void> {
    const key = toHex(address);
    this.#synced.delete(key);
    this.#unsynced.add(key);
    const [oldest] = this.#unsynced;
    if (this.#unsynced.size > UNSYNCED_MAX && oldest !== undefined) {
      await this.sync(Uint8Array.fromHex(oldest));
    }
  }
}
