/**
 * The chunk store on a disk: files of their own (`decisions.md` 14), in the clear or sealed.
 *
 * What a chunk is kept in is the business of `chunks/`; here is what all kinds have in common: one write per
 * hash at a time, every read verified, room, keys. The data folder's lock keeps a second process out.
 */
import {
  type Disk,
  equalBytes,
  fromHex,
  NetError,
  type RandomBytes,
  systemDisk,
  systemRandom,
  toHex,
  toNetError,
} from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";
import { formOf } from "./chunks/chunk_names.ts";
import { type LooseChunk, LooseChunks } from "./chunks/loose_chunks.ts";
import { Room } from "./chunks/room.ts";
import { ChunkSealer, requireStoreKey } from "./chunks/sealing.ts";
import { takeUsage, writeUsage } from "./chunks/usage_note.ts";
import type {
  ChunkStore,
  ChunkStoreCounters,
  StoreChunkOptions,
  StoreRoom,
} from "./chunk_store.ts";
import { HASH_BYTES } from "./limits.ts";

/** Young files that are known to be whole, because this process wrote or verified them; about 100 B each. */
const VERIFIED_MAX = 16_384;

/** Options of {@linkcode openFileChunkStore}. */
export interface OpenFileChunkStoreOptions {
  /** Most bytes of chunks; the device's size when left out. */
  readonly quotaBytes?: number;
  /** Key of sealed chunks, 32 bytes; needed as soon as there are some. */
  readonly storeKey?: Uint8Array;
  /** Seals what is put from now on. */
  readonly isSealing?: boolean;
  /** The machine's own when left out. */
  readonly disk?: Disk;
  readonly random?: RandomBytes;
}

/** A chunk store on a disk. */
export interface FileChunkStore extends ChunkStore {
  /** True when chunks that are put now are sealed. */
  readonly isSealing: boolean;
  /** Changes the quota; what is above it stays. */
  setQuota(quotaBytes: number | undefined): void;
}

/**
 * Opens the store in `folder`, making it as needed and removing what a crash left behind.
 *
 * @throws NetError when the folder cannot be used; `config_invalid` when chunks are sealed with a key that is
 * not given.
 */
export async function openFileChunkStore(
  folder: string,
  options: OpenFileChunkStoreOptions = {},
): Promise<FileChunkStore> {
  const { disk = systemDisk, random = systemRandom, storeKey, isSealing = false } = options;
  if (isSealing && storeKey === undefined) {
    throw new TypeError("Cannot open chunk store: a store that seals needs a key");
  }
  const sealer = storeKey === undefined ? undefined : new ChunkSealer(storeKey, random);
  try {
    const loose = new LooseChunks(disk, folder);
    loose.open();
    requireStoreKey(disk, folder, sealer, isSealing);
    const usedBytes = takeUsage(disk, folder) ?? await countBytes(loose);
    const room = new Room(disk, folder, options.quotaBytes, usedBytes);
    return new DiskChunkStore({ disk, folder, loose, room, sealer, isSealing });
  } catch (error) {
    throw toNetError(error, `Cannot use chunk folder "${folder}"`);
  }
}

interface StoreParts {
  readonly disk: Disk;
  readonly folder: string;
  readonly loose: LooseChunks;
  readonly room: Room;
  readonly sealer: ChunkSealer | undefined;
  readonly isSealing: boolean;
}

class DiskChunkStore implements FileChunkStore {
  readonly counters: ChunkStoreCounters = { corrupt: 0, refused: 0 };
  readonly #parts: StoreParts;
  #flush: Promise<void> = Promise.resolve();
  /** Work under way by hash: puts, and what makes a chunk durable. */
  readonly #writes = new Map<string, Promise<unknown>>();
  /** Writes so far: a read that found damage looks again if one came in between. */
  #writesDone = 0;
  /** Hashes of young files known to be whole, oldest first. */
  readonly #verified = new Set<string>();
  #isClosed = false;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  get isSealing(): boolean {
    return this.#parts.isSealing;
  }

  setQuota(quotaBytes: number | undefined): void {
    this.#parts.room.setQuota(quotaBytes);
  }

  async has(hash: Uint8Array): Promise<number | undefined> {
    const key = toHex(hash);
    const found = this.#parts.loose.find(key);
    if (found === undefined || !found.form.isYoung || this.#verified.has(key)) return found?.size;
    return (await this.read(hash))?.length;
  }

  async put(
    hash: Uint8Array,
    bytes: Uint8Array,
    options: StoreChunkOptions = {},
  ): Promise<"stored" | "present"> {
    const { isDurable = true } = options;
    const key = toHex(hash);
    try {
      return await this.#inTurn(key, () => this.#write(hash, key, bytes, isDurable));
    } catch (error) {
      const known = toNetError(error, "Cannot store chunk");
      if (known.code === "no_space") this.counters.refused += 1;
      throw known;
    }
  }

  async keep(hash: Uint8Array): Promise<number | undefined> {
    const key = toHex(hash);
    try {
      return await this.#inTurn(key, () => this.#keep(hash, key));
    } catch (error) {
      throw toNetError(error, "Cannot keep chunk");
    }
  }

  flush(): Promise<void> {
    // One after the other: what a flush under way took on counts as done only at its end.
    const flush = this.#flush.catch(() => {}).then(() => this.#parts.loose.sync());
    this.#flush = flush;
    return flush;
  }

  async read(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      return await this.#read(hash, toHex(hash), into);
    } catch (error) {
      throw toNetError(error, "Cannot read chunk");
    }
  }

  // deno-lint-ignore require-await -- what the disk throws must become a rejection.
  async remove(hash: Uint8Array): Promise<number | undefined> {
    try {
      return this.#remove(toHex(hash));
    } catch (error) {
      throw toNetError(error, "Cannot remove chunk");
    }
  }

  async *list(): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    for (const shard of await this.#parts.loose.shards()) {
      for (const key of (await this.#parts.loose.listShard(shard)).hashes) {
        const hash = fromHex(key, HASH_BYTES);
        if (hash !== undefined) yield hash;
      }
    }
  }

  putAtMs(hash: Uint8Array): Promise<number | undefined> {
    const found = this.#parts.loose.find(toHex(hash));
    const atMs = found && this.#parts.loose.writtenAtMs(found);
    return Promise.resolve(atMs);
  }

  room(): StoreRoom {
    return this.#parts.room.report();
  }

  usedBytes(): Promise<number> {
    return Promise.resolve(this.#parts.room.usedBytes);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#writes.values());
    await this.flush();
    writeUsage(this.#parts.disk, this.#parts.folder, this.#parts.room.usedBytes);
  }

  /** Runs `action` when nothing else is done with this chunk. */
  async #inTurn<T>(key: string, action: () => Promise<T>): Promise<T> {
    for (let other = this.#writes.get(key); other !== undefined; other = this.#writes.get(key)) {
      await other.catch(() => {}); // Its own caller hears of it.
    }
    if (this.#isClosed) throw new NetError("draining", "the store is closed");
    const work = action();
    this.#writes.set(key, work);
    try {
      return await work;
    } finally {
      this.#writes.delete(key);
      this.#writesDone += 1;
    }
  }

  async #write(
    hash: Uint8Array,
    key: string,
    bytes: Uint8Array,
    isDurable: boolean,
  ): Promise<"stored" | "present"> {
    const { loose, room, sealer, isSealing } = this.#parts;
    const found = loose.find(key);
    // Reading it again makes a put the way to repair a file that was damaged.
    if (found !== undefined && await this.#readFound(hash, key, found) !== undefined) {
      if (isDurable) await this.#settle(key, found);
      return "present";
    }
    room.take(bytes.length);
    const form = formOf(isSealing, !isDurable);
    try {
      const stored = isSealing && sealer !== undefined ? sealer.seal(hash, bytes) : bytes;
      await loose.write(key, form, stored);
    } catch (error) {
      room.give(bytes.length);
      throw error;
    }
    if (!isDurable) this.#remember(key);
    return "stored";
  }

  async #keep(hash: Uint8Array, key: string): Promise<number | undefined> {
    const found = this.#parts.loose.find(key);
    if (found === undefined) return undefined;
    const isUnsure = found.form.isYoung && !this.#verified.has(key);
    if (isUnsure && await this.#readFound(hash, key, found) === undefined) return undefined;
    await this.#settle(key, found);
    return found.size;
  }

  /** Makes a chunk that is here, and whole, durable with the next flush. */
  async #settle(key: string, found: LooseChunk): Promise<void> {
    const { loose, room } = this.#parts;
    if (!found.form.isYoung) return loose.touch(key);
    this.#verified.delete(key);
    try {
      await loose.settle(key, found);
    } catch (error) {
      if (loose.find(key) === undefined) room.give(found.size);
      throw error;
    }
  }

  async #read(
    hash: Uint8Array,
    key: string,
    into: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    for (;;) {
      const before = this.#writesDone;
      const found = this.#parts.loose.find(key);
      if (found === undefined) return undefined;
      const bytes = await this.#verifiedBytes(hash, found, into);
      if (bytes !== undefined) {
        if (found.form.isYoung) this.#remember(key);
        return bytes;
      }
      // A put may be about to replace what was read, or has; what it wrote is not what is damaged.
      const other = this.#writes.get(key);
      if (other === undefined && this.#writesDone === before) return this.#drop(key, found);
      await other?.catch(() => {});
    }
  }

  /** As {@linkcode DiskChunkStore.read}, for whoever is at work on the chunk. */
  async #readFound(
    hash: Uint8Array,
    key: string,
    found: LooseChunk,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await this.#verifiedBytes(hash, found, undefined) ?? this.#drop(key, found);
  }

  async #verifiedBytes(
    hash: Uint8Array,
    found: LooseChunk,
    into: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { loose, sealer } = this.#parts;
    if (!found.form.isSealed) {
      const bytes = await loose.read(found, into);
      return bytes !== undefined && equalBytes(blake3(bytes), hash) ? bytes : undefined;
    }
    const sealed = await loose.read(found);
    const bytes = sealed && sealer?.open(hash, sealed);
    if (bytes === undefined || !equalBytes(blake3(bytes), hash)) return undefined;
    if (into === undefined || into.length < bytes.length) return bytes;
    into.set(bytes);
    return into.subarray(0, bytes.length);
  }

  /** Removes a file that is damaged. */
  #drop(key: string, found: LooseChunk): undefined {
    const { loose, room } = this.#parts;
    this.#verified.delete(key);
    if (loose.find(key)?.path !== found.path) return undefined;
    loose.remove(found);
    room.give(found.size);
    this.counters.corrupt += 1;
  }

  #remove(key: string): number | undefined {
    const { loose, room } = this.#parts;
    this.#verified.delete(key);
    let size: number | undefined;
    // One at a time is all there should be; a crash between two steps may leave two.
    for (let found = loose.find(key); found !== undefined; found = loose.find(key)) {
      loose.remove(found);
      room.give(found.size);
      size ??= found.size;
    }
    return size;
  }

  #remember(key: string): void {
    this.#verified.delete(key);
    this.#verified.add(key);
    if (this.#verified.size <= VERIFIED_MAX) return;
    const [oldest] = this.#verified;
    if (oldest !== undefined) this.#verified.delete(oldest);
  }
}

async function countBytes(loose: LooseChunks): Promise<number> {
  let bytes = 0;
  for (const shard of await loose.shards()) {
    for (const key of (await loose.listShard(shard)).hashes) bytes += loose.find(key)?.size ?? 0;
  }
  return bytes;
}

/** Puts a folder's entries on the disk. */
export async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}
