/**
 * Makes room in a full store, in an order (`dataforts.md` 10, promise 60): chunks that nothing needs, what caches
 * hold, copies that were cached, copies that were fetched; the oldest first. What was put here, what is pinned,
 * replicas and uploads are never touched: then the store is full, and says so.
 */
import { type Clock, NetError } from "../../base/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { StoreRoom } from "../chunk_store.ts";
import { type GcRule, isDeletable } from "../policy/gc.ts";
import type { ChunkKeeper } from "./chunk_keeper.ts";
import { standingOf } from "./collector.ts";
import {
  type AgeCursor,
  endExpiredHolds,
  listCopies,
  listLooseChunks,
  releaseCacheHolds,
} from "./keep_queries.ts";

/** What {@linkcode RoomMaker} needs. */
export interface RoomMakerDeps {
  readonly ledger: Ledger;
  readonly keeper: ChunkKeeper;
  readonly clock: Clock;
  readonly log: Log;
  readonly room: () => StoreRoom;
  /** Forgets a blob; the bytes that became free. */
  readonly removeBlob: (address: Uint8Array) => Promise<number>;
}

/** What it counts. */
export interface RoomMakerCounters {
  /** Times that room was asked for. */
  room_asked_total: number;
  /** Times that there was less than was asked for. */
  room_short_total: number;
  room_freed_bytes_total: number;
}

/** Chunks looked at in one go. */
const SLICE_CHUNKS = 128;
/** Chunks that wait for their turn; with 4 MiB each room of 16 GiB is known in advance. */
const QUEUE_MAX = 4_096;
/** Holds that end, copies that go, in one go. */
const BATCH = 64;
const RULE: GcRule = { retentionFloorMs: 0, isUnderPressure: true };

/** Makes room. */
export class RoomMaker {
  readonly counters: RoomMakerCounters = {
    room_asked_total: 0,
    room_short_total: 0,
    room_freed_bytes_total: 0,
  };
  readonly #deps: RoomMakerDeps;
  /** Chunks that nothing needed when they were seen. */
  #queue: Uint8Array[] = [];
  /** Where the search for more goes on; `undefined` from the beginning. */
  #cursor: AgeCursor | undefined;
  /** Counts the times that chunks may have become free. */
  #releases = 0;
  /** How many there were when the search began, and when a search that found nothing began. */
  #searched = -1;
  #exhausted = -1;
  /** Something was in use that may be free next time. */
  #hasMetUse = false;
  /** One at a time: two would count the same bytes. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: RoomMakerDeps) {
    this.#deps = deps;
  }

  /** A chunk came that nothing refers to. */
  noteLoose(hash: Uint8Array): void {
    if (this.#queue.length < QUEUE_MAX) this.#queue.push(hash);
    else this.noteReleased();
  }

  /** Chunks may have lost what kept them. */
  noteReleased(): void {
    this.#releases += 1;
  }

  /** Frees room for so many bytes if it can; false when nothing at all was freed and there still is none. */
  make(bytes: number): Promise<boolean> {
    const result = this.#turn.then(() => this.#make(bytes));
    this.#turn = result.catch(() => {}); // Whoever asked is told.
    return result;
  }

  async #make(bytes: number): Promise<boolean> {
    const { log, room } = this.#deps;
    const { freeBytes } = room();
    // A device may say that there is room and yet have none.
    const wanted = freeBytes < bytes ? bytes - freeBytes : bytes;
    this.counters.room_asked_total += 1;
    let freed = 0;
    const steps = [
      () => this.#endHolds(),
      () => this.#takeLoose(wanted - freed),
      () => this.#endCacheHolds(wanted - freed),
      () => this.#removeCopies("cached", wanted - freed),
      () => this.#removeCopies("fetched", wanted - freed),
    ];
    for (const step of steps) {
      if (freed >= wanted) break;
      freed += await step().catch((error) => {
        // Letting go takes some room in the ledger as well: other steps may need none.
        if (error instanceof NetError && error.code === "no_space") return 0;
        throw error;
      });
    }
    this.counters.room_freed_bytes_total += freed;
    if (freed < wanted) this.counters.room_short_total += 1;
    if (freed > 0) log.info("room_made", { bytes: freed, wanted });
    if (this.#hasMetUse) this.noteReleased();
    this.#hasMetUse = false;
    return freed > 0;
  }

  async #endHolds(): Promise<number> {
    const { ledger: { db }, clock } = this.#deps;
    if (await endExpiredHolds(db, clock.wallMs(), SLICE_CHUNKS) > 0) this.noteReleased();
    return 0;
  }

  /** Removes chunks that nothing needs until so much is free, or there are no more of them. */
  async #takeLoose(wanted: number): Promise<number> {
    let freed = 0;
    while (freed < wanted) {
      if (this.#queue.length === 0) await this.#search();
      const hash = this.#queue.shift();
      if (hash === undefined) return freed;
      freed += await this.#removeLoose([hash]);
    }
    return freed;
  }

  /** Fills the queue with the oldest chunks that nothing needs. */
  async #search(): Promise<void> {
    const { ledger: { db }, keeper, clock } = this.#deps;
    await keeper.settle();
    while (this.#queue.length === 0 && this.#exhausted !== this.#releases) {
      if (this.#cursor === undefined) this.#searched = this.#releases;
      const slice = await listLooseChunks(db, {
        after: this.#cursor,
        limit: SLICE_CHUNKS,
        nowMs: clock.wallMs(),
      });
      for (const { hash, isPinned, isReferenced, holds } of slice) {
        if (!isPinned && !isReferenced && holds.length === 0) this.#queue.push(hash);
      }
      if (slice.length < SLICE_CHUNKS) {
        this.#cursor = undefined;
        this.#exhausted = this.#searched;
      } else {
        this.#cursor = slice.at(-1);
        await new Promise<void>((resolve) => clock.soon(resolve));
      }
    }
  }

  async #removeLoose(hashes: readonly Uint8Array[]): Promise<number> {
    const { keeper, clock } = this.#deps;
    const { busy, freedBytes } = await keeper.removeUnkept(
      hashes,
      (chunk) => !isDeletable(standingOf(chunk), RULE, clock.wallMs()),
    );
    if (busy > 0) this.#hasMetUse = true;
    return freedBytes;
  }

  /** Lets go what caches hold until so much is free, and removes what nothing else needs of it. */
  async #endCacheHolds(wanted: number): Promise<number> {
    const { ledger } = this.#deps;
    let freed = 0;
    while (freed < wanted) {
      const hashes = await ledger.transaction((transaction) =>
        releaseCacheHolds(transaction, BATCH)
      );
      if (hashes.length === 0) break;
      freed += await this.#removeLoose(hashes);
    }
    return freed;
  }

  /** Forgets copies that came here by themselves until so much is free. */
  async #removeCopies(origin: "cached" | "fetched", wanted: number): Promise<number> {
    const { ledger: { db }, removeBlob } = this.#deps;
    let freed = 0;
    while (freed < wanted) {
      const addresses = await listCopies(db, origin, BATCH);
      if (addresses.length === 0) return freed;
      for (const address of addresses) {
        if (freed >= wanted) break;
        freed += await removeBlob(address);
      }
    }
    return freed;
  }
}
