/**
 * Where chunks live: one interface, and the store in memory (`dataforts.md` 7, `decisions.md` 14).
 *
 * A store knows chunks by their hash only; which blob they belong to is in the ledger.
 */
import { equalBytes, NetError, toHex } from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";

/** What a store counts. */
export interface ChunkStoreCounters {
  /** Chunks whose bytes no longer had their hash; each was removed. */
  corrupt: number;
}

/** A store of chunks by BLAKE3 hash. */
export interface ChunkStore {
  readonly counters: Readonly<ChunkStoreCounters>;
  /** Size of a chunk in bytes, or `undefined` when it is not here. Does not read it. */
  has(hash: Uint8Array): Promise<number | undefined>;
  /**
   * Stores a chunk; it survives a kill of the process at once, and a loss of power after
   * {@linkcode ChunkStore.flush}. `bytes` are not changed and not kept.
   *
   * @param hash BLAKE3 of `bytes`; taken on trust.
   * @throws NetError `no_space`; what was written is removed.
   */
  put(hash: Uint8Array, bytes: Uint8Array): Promise<"stored" | "present">;
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
  ): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Removes a chunk; its size, or `undefined` when it was not here. */
  remove(hash: Uint8Array): Promise<number | undefined>;
  /** Hashes of all chunks, in no particular order. */
  list(): AsyncIterableIterator<Uint8Array<ArrayBuffer>>;
  /** Bytes of all chunks; counts them, so it is not for hot paths. */
  usedBytes(): Promise<number>;
}

/** Options of {@linkcode createMemoryChunkStore}. */
export interface CreateMemoryChunkStoreOptions {
  /** Most bytes it holds. */
  readonly bytesMax: number;
}

/** Creates a store that forgets everything with its process; it never opens a file. */
export function createMemoryChunkStore(options: CreateMemoryChunkStoreOptions): ChunkStore {
  const chunks = new Map<string, Uint8Array<ArrayBuffer>>();
  const counters: ChunkStoreCounters = { corrupt: 0 };
  let usedBytes = 0;
  const remove = (hash: Uint8Array): number | undefined => {
    const key = toHex(hash);
    const size = chunks.get(key)?.length;
    if (size === undefined) return undefined;
    chunks.delete(key);
    usedBytes -= size;
    return size;
  };
  return {
    counters,
    has: (hash) => Promise.resolve(chunks.get(toHex(hash))?.length),
    put: (hash, bytes) => {
      const key = toHex(hash);
      if (chunks.has(key)) return Promise.resolve("present");
      if (usedBytes + bytes.length > options.bytesMax) {
        return Promise.reject(
          new NetError(
            "no_space",
            `Cannot store chunk: memory holds ${usedBytes} of ${options.bytesMax} bytes`,
            { next: "remove blobs with net blob rm, or run the node without --amnesia" },
          ),
        );
      }
      chunks.set(key, bytes.slice());
      usedBytes += bytes.length;
      return Promise.resolve("stored");
    },
    flush: () => Promise.resolve(),
    read: (hash, into) => {
      const bytes = chunks.get(toHex(hash));
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
    list: async function* () {
      for (const key of [...chunks.keys()]) yield Uint8Array.fromHex(key);
    },
    usedBytes: () => Promise.resolve(usedBytes),
  };
}
