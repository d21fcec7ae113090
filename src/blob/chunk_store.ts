/**
 * Where chunks live: one interface, and the store in memory (`dataforts.md` 7, `decisions.md` 14).
 *
 * A store knows chunks by their hash only; which blob they belong to is in the ledger.
 */
import { type Clock, equalBytes, NetError, toHex } from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";

/** What a store counts. */
export interface ChunkStoreCounters {
  /** Chunks whose bytes no longer had their hash; each was removed. */
  corrupt: number;
  /** Chunks refused because the quota or the device is full. */
  refused: number;
}

/** Room of a store, in bytes. */
export interface StoreRoom {
  /** Bytes of all chunks. */
  readonly usedBytes: number;
  /** Most bytes of chunks there can be: the quota, or what is used and what the device has left. */
  readonly capacityBytes: number;
  /** Bytes that may still be put: what the quota leaves, and the device has. */
  readonly freeBytes: number;
}

/** Options of {@linkcode ChunkStore.put}. */
export interface StoreChunkOptions {
  /**
   * False for a copy that may be lost with the machine's power; then it is found damaged, or missing. A later
   * put without it, or {@linkcode ChunkStore.keep}, makes up for it. True when left out.
   */
  readonly isDurable?: boolean;
  /**
   * True for one of very many small chunks: they share files, and become durable together at the next
   * {@linkcode ChunkStore.flush}. A kill of the process before that may lose it. A large chunk ignores it.
   */
  readonly isPacked?: boolean;
}

/** Very many small chunks, as plain numbers: an object for each would cost as much as to store it. */
export interface SmallChunks {
  readonly count: number;
  /** BLAKE3 of each, one behind the other; taken on trust. */
  readonly hashes: Uint8Array;
  /** Bytes of each. */
  readonly sizes: ArrayLike<number>;
  /** The bytes of all, one behind the other. */
  readonly bytes: Uint8Array;
}

/** It failed, or was not tried: who puts it alone is told why. */
export const PUT_FAILED = 0;
/** It was not here. */
export const PUT_STORED = 1;
/** It was here already. */
export const PUT_PRESENT = 2;

/** How a chunk is verified that is read. */
export interface ReadChunkOptions {
  /**
   * True for a reader that verifies what it gets, as peers do: a file that this process wrote or verified within the
   * hour, and that was not written since, is not hashed again.
   */
  readonly isTrusting?: boolean;
  /** Who hashes; in line when left out. */
  readonly hash?: (bytes: Uint8Array) => Promise<Uint8Array>;
}

/** A store of chunks by BLAKE3 hash. */
export interface ChunkStore {
  readonly counters: Readonly<ChunkStoreCounters>;
  /** True when chunks that are put now are sealed. */
  readonly isSealing?: boolean;
  /** Size of a chunk in bytes, or `undefined` when it is not here. Does not read it. */
  has(hash: Uint8Array): Promise<number | undefined>;
  /**
   * Stores a chunk; it survives a kill of the process at once, and a loss of power after
   * {@linkcode ChunkStore.flush}. `bytes` are not changed and not kept.
   *
   * @param hash BLAKE3 of `bytes`; taken on trust.
   * @throws NetError `no_space`; what was written is removed.
   */
  put(
    hash: Uint8Array,
    bytes: Uint8Array,
    options?: StoreChunkOptions,
  ): Promise<"stored" | "present">;
  /**
   * Puts very many small chunks, as with `isPacked`, and much quicker than one by one.
   *
   * @returns `PUT_…` of each, in order.
   */
  putMany?(chunks: SmallChunks): Promise<Uint8Array>;
  /**
   * As if a chunk that is here were put again as a durable one: its size, or `undefined` when it is not here.
   * Whoever builds on a chunk that others put asks this, not {@linkcode ChunkStore.has}.
   */
  keep(hash: Uint8Array): Promise<number | undefined>;
  /** Makes everything put so far durable; one call after many puts costs little more than after one. */
  flush(): Promise<void>;
  /**
   * Reads a chunk and hashes it again; a corrupt one is removed, counted and reported missing.
   *
   * @param into Where to put it when it fits; the result is then a view of it.
   */
  read(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
    options?: ReadChunkOptions,
  ): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Removes a chunk; its size, or `undefined` when it was not here. */
  remove(hash: Uint8Array): Promise<number | undefined>;
  /**
   * Hashes of all chunks, in ascending order; of those that come or go meanwhile, perhaps.
   *
   * @param options After: only hashes above this one.
   */
  list(options?: { readonly after?: Uint8Array }): AsyncIterableIterator<Uint8Array<ArrayBuffer>>;
  /** When a chunk was put, in Unix milliseconds, as its file says; `undefined` when that is not known. */
  putAtMs(hash: Uint8Array): Promise<number | undefined>;
  /** Room there is now. */
  room(): StoreRoom;
  /** Bytes of all chunks. */
  usedBytes(): Promise<number>;
  /** Makes everything put so far durable and gives files back; idempotent. */
  close(): Promise<void>;
}

/** Options of {@linkcode createMemoryChunkStore}. */
export interface CreateMemoryChunkStoreOptions {
  /** Most bytes it holds. */
  readonly bytesMax: number;
  /** Source of {@linkcode ChunkStore.putAtMs}; without it nobody knows. */
  readonly clock?: Pick<Clock, "wallMs">;
}

interface MemoryChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly putAtMs: number | undefined;
}

/** Creates a store that forgets everything with its process; it never opens a file. */
export function createMemoryChunkStore(options: CreateMemoryChunkStoreOptions): ChunkStore {
  const { bytesMax, clock } = options;
  const chunks = new Map<string, MemoryChunk>();
  const counters: ChunkStoreCounters = { corrupt: 0, refused: 0 };
  let usedBytes = 0;
  const sizeOf = (hash: Uint8Array) => chunks.get(toHex(hash))?.bytes.length;
  const remove = (hash: Uint8Array): number | undefined => {
    const key = toHex(hash);
    const size = chunks.get(key)?.bytes.length;
    if (size === undefined) return undefined;
    chunks.delete(key);
    usedBytes -= size;
    return size;
  };
  return {
    counters,
    has: (hash) => Promise.resolve(sizeOf(hash)),
    put: (hash, bytes) => {
      const key = toHex(hash);
      if (chunks.has(key)) return Promise.resolve("present");
      if (usedBytes + bytes.length > bytesMax) {
        counters.refused += 1;
        return Promise.reject(
          new NetError(
            "no_space",
            `Cannot store chunk: memory holds ${usedBytes} of ${bytesMax} bytes`,
            { next: "remove blobs with net blob rm, or run the node without --amnesia" },
          ),
        );
      }
      chunks.set(key, { bytes: bytes.slice(), putAtMs: clock?.wallMs() });
      usedBytes += bytes.length;
      return Promise.resolve("stored");
    },
    keep: (hash) => Promise.resolve(sizeOf(hash)),
    flush: () => Promise.resolve(),
    read: (hash, into) => {
      const bytes = chunks.get(toHex(hash))?.bytes;
      if (bytes === undefined) return Promise.resolve(undefined);
      if (!equalBytes(blake3(bytes), hash)) {
        counters.corrupt += 1;
        remove(hash);
        return Promise.resolve(undefined);
      }
      if (into === undefined || into.length < bytes.length) return Promise.resolve(bytes.slice());
      into.set(bytes);
      return Promise.resolve(into.subarray(0, bytes.length));
    },
    remove: (hash) => Promise.resolve(remove(hash)),
    list: async function* ({ after } = {}) {
      const from = after === undefined ? "" : toHex(after);
      for (const key of [...chunks.keys()].sort()) if (key > from) yield Uint8Array.fromHex(key);
    },
    putAtMs: (hash) => Promise.resolve(chunks.get(toHex(hash))?.putAtMs),
    room: () => ({ usedBytes, capacityBytes: bytesMax, freeBytes: bytesMax - usedBytes }),
    usedBytes: () => Promise.resolve(usedBytes),
    close: () => Promise.resolve(),
  };
}
