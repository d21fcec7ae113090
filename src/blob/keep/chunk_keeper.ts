/**
 * The chunks of a store and their rows: puts, reads and removals keep both in step, count the bytes, and tell who
 * listens. Which chunk may go is asked of the ledger in the moment it goes (`dataforts.md` 10).
 */
import { type Clock, NetError, toHex } from "../../base/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { ChunkGuard } from "../_chunk_guard.ts";
import { type ChunkEntry, deleteChunks, knownChunks, upsertLooseChunks } from "../chunk_queries.ts";
import {
  type ChunkStore,
  PUT_STORED,
  type ReadChunkOptions,
  type SmallChunks,
  type StoreChunkOptions,
} from "../chunk_store.ts";
import { HASH_BYTES } from "../limits.ts";
import { type KeptChunk, readKeptChunks } from "./keep_queries.ts";

/** A chunk came or went. */
export interface ChunkChange {
  readonly kind: "added" | "removed";
  readonly hash: Uint8Array;
  readonly size: number;
  /** It was added on its own: a copy that was fetched or pushed, not a part of a blob that is put. */
  readonly isCopy?: boolean;
}

/** What {@linkcode ChunkKeeper} needs. */
export interface ChunkKeeperDeps {
  readonly ledger: Ledger;
  readonly chunks: ChunkStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Asked when the store is full; false when nothing could be freed. */
  readonly makeRoom: (bytes: number) => Promise<boolean>;
}

/** Times that one put asks for room: others may take what was made for it. */
const ROOM_TRIES_MAX = 8;

/** Chunks whose rows may wait: a crash loses only the rows, and the chunks are adopted. */
const ROWS_WAITING_MAX = 256;

/** Chunks looked up at once. */
const ADOPT_BATCH = 256;

/** Chunks whose removal is one step, with one write to the ledger; and so many between two pauses. */
const REMOVE_BATCH = 256;
const REMOVE_PAUSE = 64;

/** What a removal came to. */
export interface Removed {
  readonly count: number;
  readonly freedBytes: number;
  /** Chunks that something used at that moment. */
  readonly busy: number;
}

/** Chunks of one store. */
export class ChunkKeeper {
  /** Who uses chunks at this moment. */
  readonly guard = new ChunkGuard();
  readonly #deps: ChunkKeeperDeps;
  readonly #listeners = new Set<(change: ChunkChange) => void>();
  readonly #readers = new Set<(hash: Uint8Array) => void>();
  /** Chunks whose rows are to be written, by hash. */
  #waiting = new Map<string, ChunkEntry>();

  constructor(deps: ChunkKeeperDeps) {
    this.#deps = deps;
  }

  /** Told of every chunk that came or went; gives what ends it. */
  onChange(listener: (change: ChunkChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Told of every chunk that was read here; gives what ends it. */
  onRead(listener: (hash: Uint8Array) => void): () => void {
    this.#readers.add(listener);
    return () => void this.#readers.delete(listener);
  }

  /**
   * Stores a chunk that is in use; its row comes with the blob, or waits until it is written. A full store first
   * gives up what nothing needs.
   *
   * @throws NetError `no_space` when that is not enough.
   */
  async put(
    hash: Uint8Array,
    bytes: Uint8Array,
    options?: StoreChunkOptions,
  ): Promise<"stored" | "present"> {
    return await this.#put(hash, bytes, false, options);
  }

  /**
   * Stores very many small chunks that are in use; `PUT_…` of each, in order. Those that failed need to be put alone:
   * because there is no room for them, or the store has no quick way.
   */
  async putMany(chunks: SmallChunks): Promise<Uint8Array> {
    const { count, hashes, sizes } = chunks;
    const outcomes = await this.#deps.chunks.putMany?.(chunks) ?? new Uint8Array(count);
    if (this.#listeners.size === 0) return outcomes;
    for (let i = 0; i < count; i++) {
      if (outcomes[i] !== PUT_STORED) continue;
      const hash = hashes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES);
      this.#tell({ kind: "added", hash, size: sizes[i] ?? 0, isCopy: false });
    }
    return outcomes;
  }

  /** Does what needs room, and again once there is more of it. */
  async withRoom<T>(bytes: number, action: () => Promise<T>): Promise<T> {
    for (let tries = 1;; tries++) {
      try {
        return await action();
      } catch (error) {
        const isFull = error instanceof NetError && error.code === "no_space";
        if (!isFull || tries > ROOM_TRIES_MAX || !await this.#deps.makeRoom(bytes)) throw error;
      }
    }
  }

  /** Stores a chunk that no blob refers to. */
  async add(
    hash: Uint8Array,
    bytes: Uint8Array,
    isDurable: boolean,
  ): Promise<"stored" | "present"> {
    await this.guard.use(hash);
    try {
      const outcome = await this.#put(hash, bytes, true, { isDurable });
      this.#waiting.set(toHex(hash), { hash, size: bytes.length });
      if (isDurable) await this.#deps.chunks.flush();
      if (isDurable || this.#waiting.size >= ROWS_WAITING_MAX) await this.settle();
      return outcome;
    } finally {
      this.guard.release(hash);
    }
  }

  /** A chunk that is here, verified. One that is damaged is removed, and so is its row. */
  async read(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
    { isQuiet = false, ...options }: ReadChunkOptions & { readonly isQuiet?: boolean } = {},
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { chunks, log } = this.#deps;
    const corruptBefore = chunks.counters.corrupt;
    const bytes = await chunks.read(hash, into, options);
    if (bytes !== undefined && !isQuiet) {
      for (const listener of this.#readers) listener(hash);
    }
    if (bytes !== undefined || chunks.counters.corrupt === corruptBefore) return bytes;
    // Another read may have met another damaged one meanwhile: only what is gone is taken for gone.
    if (await chunks.has(hash) !== undefined) return undefined;
    log.error("chunk_corrupt", { hash: toHex(hash), hint: "it was removed; put its blob again" });
    await this.forget([hash]).catch((error) => this.#complain(error, hash));
    return undefined;
  }

  /**
   * Forgets the rows of chunks that turned out not to be here; how many there were. What refers to them goes on
   * doing so.
   */
  async forget(hashes: readonly Uint8Array[]): Promise<number> {
    await this.settle();
    const gone = await deleteChunks(this.#deps.ledger.db, hashes);
    for (const { hash, size } of gone) this.#tell({ kind: "removed", hash, size });
    return gone.length;
  }

  /** Writes the rows that wait. */
  async settle(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Map();
    try {
      await this.#deps.ledger.transaction((transaction) =>
        upsertLooseChunks(transaction, [...waiting.values()], this.#deps.clock.wallMs())
      );
    } catch (error) {
      // Tried again next time; without a row the sweep would find them.
      for (const [key, entry] of waiting) this.#waiting.set(key, entry);
      throw error;
    }
  }

  /** Gives chunks without a row one, as old as their file; how many. */
  async adoptStrangers(signal?: AbortSignal): Promise<number> {
    await this.settle();
    let adopted = 0;
    let batch: Uint8Array[] = [];
    const adopt = async () => {
      adopted += await this.#adopt(batch);
      batch = [];
    };
    for await (const hash of this.#deps.chunks.list()) {
      signal?.throwIfAborted();
      if (batch.push(hash) >= ADOPT_BATCH) await adopt();
    }
    if (batch.length > 0) await adopt();
    if (adopted > 0) this.#deps.log.info("chunks_adopted", { count: adopted });
    return adopted;
  }

  /**
   * Removes those of these chunks that nothing keeps, some at a time: between the last look and the removal nobody
   * can begin to use one.
   *
   * @param isKept Decides by what the ledger says in that moment; anything keeps a chunk when left out.
   * @param except Address of a blob whose own references do not count.
   */
  async removeUnkept(
    hashes: readonly Uint8Array[],
    isKept: (chunk: KeptChunk) => boolean = isKeptByAnything,
    except?: Uint8Array,
  ): Promise<Removed> {
    const total = { count: 0, freedBytes: 0, busy: 0 };
    for (let start = 0; start < hashes.length; start += REMOVE_BATCH) {
      if (start > 0) await this.#pause();
      const part = hashes.slice(start, start + REMOVE_BATCH);
      const { claimed, giveBack } = this.guard.claim(part);
      try {
        total.busy += part.length - claimed.length;
        const { ledger: { db }, clock } = this.#deps;
        const facts = await readKeptChunks(db, claimed, clock.wallMs(), except);
        const removed = await this.#remove(facts.filter((chunk) => !isKept(chunk)));
        total.count += removed.count;
        total.freedBytes += removed.freedBytes;
      } finally {
        giveBack();
      }
    }
    return total;
  }

  /** Removes chunks, then their rows: what a crash leaves is a row without a chunk, which does no harm. */
  async #remove(victims: readonly KeptChunk[]): Promise<Omit<Removed, "busy">> {
    const { chunks, ledger } = this.#deps;
    const gone: Uint8Array[] = [];
    const sizes = new Map<string, number>();
    for (const [i, { hash }] of victims.entries()) {
      if (i % REMOVE_PAUSE === REMOVE_PAUSE - 1) await this.#pause();
      try {
        const size = await chunks.remove(hash);
        gone.push(hash);
        this.#waiting.delete(toHex(hash));
        if (size !== undefined) sizes.set(toHex(hash), size);
      } catch (error) {
        // What is left is collected later.
        this.#complain(error, hash);
      }
    }
    let rows: readonly ChunkEntry[] = [];
    try {
      rows = await deleteChunks(ledger.db, gone);
    } catch (error) {
      this.#complain(error);
    }
    const told = new Map(rows.map((row) => [toHex(row.hash), row.size]));
    for (const hash of gone) {
      const size = sizes.get(toHex(hash)) ?? told.get(toHex(hash));
      if (size !== undefined) this.#tell({ kind: "removed", hash, size });
    }
    let freedBytes = 0;
    for (const size of sizes.values()) freedBytes += size;
    return { count: sizes.size, freedBytes };
  }

  /** Gives chunks of this list a row where they have none; how many. */
  async #adopt(hashes: readonly Uint8Array[]): Promise<number> {
    const { ledger, chunks, clock } = this.#deps;
    const known = new Set((await knownChunks(ledger.db, hashes)).map(toHex));
    const nowMs = clock.wallMs();
    const strangers: (ChunkEntry & { readonly firstSeenMs: number })[] = [];
    for (const hash of hashes) {
      if (known.has(toHex(hash))) continue;
      const size = await chunks.has(hash);
      // Chunks of drafts under way are counted already, and get their row with the commit.
      if (size === undefined || this.guard.isUsed(hash)) continue;
      // A clock that was ahead must not keep it for ever.
      const firstSeenMs = Math.min(await chunks.putAtMs(hash) ?? nowMs, nowMs);
      strangers.push({ hash, size, firstSeenMs });
    }
    if (strangers.length === 0) return 0;
    await ledger.transaction((transaction) => upsertLooseChunks(transaction, strangers, nowMs));
    return strangers.length;
  }

  async #put(
    hash: Uint8Array,
    bytes: Uint8Array,
    isCopy: boolean,
    options?: StoreChunkOptions,
  ): Promise<"stored" | "present"> {
    const { chunks } = this.#deps;
    const outcome = await this.withRoom(bytes.length, () => chunks.put(hash, bytes, options));
    if (outcome === "stored") this.#tell({ kind: "added", hash, size: bytes.length, isCopy });
    return outcome;
  }

  /** Other work has its turn. */
  #pause(): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.soon(resolve));
  }

  #tell(change: ChunkChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #complain(error: unknown, hash?: Uint8Array): void {
    this.#deps.log.warn("chunk_not_removed", {
      hash: hash && toHex(hash),
      reason: error instanceof Error ? error.message : String(error),
    });
  }
}

function isKeptByAnything({ isPinned, isReferenced, holds }: KeptChunk): boolean {
  return isPinned || isReferenced || holds.length > 0;
}
