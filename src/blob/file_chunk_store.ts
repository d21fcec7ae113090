/**
 * The chunk store on a disk: files of their own (`decisions.md` 14) or shared ones, in the clear or sealed.
 *
 * What a chunk is kept in is the business of `chunks/`; here is who does what when: one write per hash at a time,
 * reads beside it, one flush after the other. The data folder's lock keeps a second process out.
 */
import {
  type Disk,
  NetError,
  readAside,
  systemDisk,
  systemRandom,
  toHex,
  toNetError,
} from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";
import { pickChunks } from "./chunks/_pick_chunks.ts";
import { formOf } from "./chunks/chunk_names.ts";
import { ChunkVault } from "./chunks/chunk_vault.ts";
import { LooseChunks } from "./chunks/loose_chunks.ts";
import { PACKED_BYTES_MAX } from "./chunks/pack_record.ts";
import type { FileChunkStore, OpenFileChunkStoreOptions } from "./chunks/file_store_types.ts";
import type { PackStore } from "./chunks/pack_store.ts";
import { ChunkSealer, requireStoreKey } from "./chunks/sealing.ts";
import { takeUsage } from "./chunks/usage_note.ts";
import {
  type ChunkStoreCounters,
  PUT_FAILED,
  PUT_PRESENT,
  PUT_STORED,
  type ReadChunkOptions,
  type SmallChunks,
  type StoreChunkOptions,
  type StoreRoom,
} from "./chunk_store.ts";
import { HASH_WORDS, HashIndex, hashWords } from "./_hash_index.ts";
import { HASH_BYTES, TRANSFER_BYTES_MAX } from "./limits.ts";

export type { FileChunkStore, OpenFileChunkStoreOptions };

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
    // Before anything else: who has the wrong key changes nothing.
    const canBeSealed = requireStoreKey(disk, folder, sealer, isSealing);
    const loose = new LooseChunks(disk, folder, canBeSealed);
    loose.open();
    const looseBytes = takeUsage(disk, folder) ?? await countBytes(loose);
    const { quotaBytes, packLimits } = options;
    const vault = new ChunkVault({
      disk,
      folder,
      loose,
      looseBytes,
      quotaBytes,
      sealer,
      isSealing,
      packLimits,
    });
    await vault.open();
    return new DiskChunkStore(vault, disk, folder);
  } catch (error) {
    throw toNetError(error, `Cannot use chunk folder "${folder}"`);
  }
}

/** A file that was meant to be a chunk: another folder, capital letters, or an ending. */
const MISNAMED = /^(?:[0-9a-f]{2}\/)?[0-9a-f]{64}(?:\.[\w.-]{1,32})?$/i;

class DiskChunkStore implements FileChunkStore {
  readonly #vault: ChunkVault;
  readonly #disk: Disk;
  readonly #folder: string;
  #flush: Promise<void> = Promise.resolve();
  /** The end of the last look at a chunk that may be torn. */
  #proof: Promise<unknown> = Promise.resolve();
  #isTidying = false;
  /** Work under way by hash: puts, and what makes a chunk durable. */
  readonly #writes = new Map<string, Promise<unknown>>();
  /** Writes so far: a read that found damage looks again if one came in between. */
  #writesDone = 0;
  #isClosed = false;

  constructor(vault: ChunkVault, disk: Disk, folder: string) {
    this.#vault = vault;
    this.#disk = disk;
    this.#folder = folder;
  }

  get counters(): ChunkStoreCounters {
    return this.#vault.counters;
  }

  get isSealing(): boolean {
    return this.#vault.isSealing;
  }

  setQuota(quotaBytes: number | undefined): void {
    this.#vault.room.setQuota(quotaBytes);
  }

  async has(hash: Uint8Array): Promise<number | undefined> {
    const key = toHex(hash);
    const found = this.#vault.find(hash, key);
    if (found === undefined) return undefined;
    if (!this.#vault.isUnsure(key, found)) return this.#vault.sizeOf(hash, found);
    // All of it has to be read, and a peer may ask for hundreds at once: they must not fill the memory.
    const proof = this.#proof.then(() => this.#prove(hash, key));
    this.#proof = proof.catch(() => {}); // Whoever asked is told.
    return await proof;
  }

  async put(
    hash: Uint8Array,
    bytes: Uint8Array,
    options: StoreChunkOptions = {},
  ): Promise<"stored" | "present"> {
    const key = toHex(hash);
    try {
      return await this.#inTurn(key, () => this.#put(hash, key, bytes, options));
    } catch (error) {
      const known = toNetError(error, "Cannot store chunk");
      if (known.code === "no_space") this.counters.refused += 1;
      throw known;
    }
  }

  async putMany(chunks: SmallChunks): Promise<Uint8Array> {
    const { count, hashes, sizes, bytes } = chunks;
    const outcomes = new Uint8Array(count).fill(PUT_FAILED);
    try {
      const packs = await this.#vault.requirePacks();
      // From here to the end of it nothing else has a turn.
      const fresh = this.#freshOf(packs, chunks);
      this.#vault.putManyPacked(packs, fresh.length === count ? chunks : pickChunks(chunks, fresh));
      for (const i of fresh) outcomes[i] = PUT_STORED;
      for (let i = 0, at = 0; i < count; i++) {
        const size = sizes[i] ?? 0;
        if (outcomes[i] === PUT_FAILED) {
          const hash = hashes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES);
          const outcome = await this.put(hash, bytes.subarray(at, at + size), { isPacked: true });
          outcomes[i] = outcome === "stored" ? PUT_STORED : PUT_PRESENT;
        }
        at += size;
      }
    } catch (error) {
      // The next put of that chunk fails in the same way, or does not.
      if (!(error instanceof Error)) throw error;
    }
    return outcomes;
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
    const flush = this.#flush.catch(() => {}).then(() => this.#vault.sync());
    this.#flush = flush;
    return flush;
  }

  async read(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
    options?: ReadChunkOptions,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      return await this.#read(hash, toHex(hash), into, options);
    } catch (error) {
      throw toNetError(error, "Cannot read chunk");
    }
  }

  // deno-lint-ignore require-await -- what the disk throws must become a rejection.
  async remove(hash: Uint8Array): Promise<number | undefined> {
    try {
      const size = this.#vault.remove(hash, toHex(hash));
      this.#tidy();
      return size;
    } catch (error) {
      throw toNetError(error, "Cannot remove chunk");
    }
  }

  async *list(
    { after }: { readonly after?: Uint8Array } = {},
  ): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    for await (const key of this.#vault.list(after === undefined ? "" : toHex(after))) {
      yield Uint8Array.fromHex(key);
    }
  }

  strangers(): AsyncIterableIterator<string> {
    return this.#vault.strangers();
  }

  async adopt(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!MISNAMED.test(name)) return undefined;
    const path = `${this.#folder}/${name}`;
    try {
      const size = this.#disk.sizeOf(path);
      if (size === undefined || size > TRANSFER_BYTES_MAX) return undefined;
      const bytes = new Uint8Array(size);
      const file = this.#disk.open(path, { readOnly: true });
      try {
        if (await readAside(file, 0, bytes) < size) return undefined;
      } finally {
        file.close();
      }
      const hash = blake3(bytes);
      await this.put(hash, bytes);
      await this.flush();
      this.#disk.remove(path);
      return hash;
    } catch (error) {
      throw toNetError(error, `Cannot take "${name}" for a chunk`);
    }
  }

  async convert(hash: Uint8Array): Promise<boolean> {
    const key = toHex(hash);
    try {
      return await this.#inTurn(key, () => this.#convert(hash, key));
    } catch (error) {
      throw toNetError(error, "Cannot convert chunk");
    }
  }

  putAtMs(hash: Uint8Array): Promise<number | undefined> {
    const found = this.#vault.find(hash, toHex(hash));
    return Promise.resolve(found && this.#vault.putAtMs(hash, found));
  }

  room(): StoreRoom {
    return this.#vault.room.report();
  }

  usedBytes(): Promise<number> {
    return Promise.resolve(this.#vault.room.usedBytes);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#writes.values());
    await this.#vault.close(() => this.flush());
  }

  /** Runs `action` when nothing else is done with this chunk. */
  async #inTurn<T>(key: string, action: () => Promise<T>): Promise<T> {
    for (let other = this.#writes.get(key); other !== undefined; other = this.#writes.get(key)) {
      await other.catch(() => {}); // Its own caller hears of it.
    }
    if (this.#isClosed) {
      throw new NetError("draining", "Cannot use chunk store: it is closed", {
        next: "repeat the command when the node has stopped, or was started again",
      });
    }
    const work = action();
    this.#writes.set(key, work);
    try {
      return await work;
    } finally {
      this.#writes.delete(key);
      this.#writesDone += 1;
    }
  }

  /** Size of a chunk that a loss of power may have torn. */
  async #prove(hash: Uint8Array, key: string): Promise<number | undefined> {
    const found = this.#vault.find(hash, key);
    if (found === undefined) return undefined;
    // Somebody else may have looked meanwhile.
    if (!this.#vault.isUnsure(key, found)) return this.#vault.sizeOf(hash, found);
    return (await this.read(hash))?.length;
  }

  /** Which chunks are certainly not here, by their number; of two that are the same, the first. */
  #freshOf(packs: PackStore, { count, hashes, sizes }: SmallChunks): readonly number[] {
    if (this.#isClosed) return [];
    const packed = packs.hasMany(hashes, count);
    const seen = new HashIndex(count);
    const words = hashWords(hashes);
    const fresh: number[] = [];
    for (let i = 0; i < count; i++) {
      const before = seen.count;
      const isSeen = seen.add(words, i * HASH_WORDS) < before;
      if (isSeen || packed.has(i) || (sizes[i] ?? 0) > PACKED_BYTES_MAX) continue;
      const hash = hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES);
      if (this.#writes.size > 0 && this.#writes.has(toHex(hash))) continue;
      if (this.#vault.isNotLoose(hash)) fresh.push(i);
    }
    return fresh;
  }

  async #put(
    hash: Uint8Array,
    key: string,
    bytes: Uint8Array,
    { isDurable = true, isPacked = false }: StoreChunkOptions,
  ): Promise<"stored" | "present"> {
    const vault = this.#vault;
    const found = vault.find(hash, key, isPacked);
    // Reading it again makes a put the way to repair a file that was damaged.
    if (found !== undefined && await vault.readOrDrop(hash, key, found) !== undefined) {
      if (isDurable) await vault.settle(key, found);
      return "present";
    }
    if (isPacked && bytes.length <= PACKED_BYTES_MAX) {
      vault.putPacked(vault.packs ?? await vault.requirePacks(), hash, bytes);
    } else await vault.writeLoose(hash, key, bytes, isDurable);
    return "stored";
  }

  async #keep(hash: Uint8Array, key: string): Promise<number | undefined> {
    const vault = this.#vault;
    const found = vault.find(hash, key);
    if (found === undefined) return undefined;
    const isTorn = vault.isUnsure(key, found) &&
      await vault.readOrDrop(hash, key, found) === undefined;
    if (isTorn) return undefined;
    await vault.settle(key, found);
    return vault.sizeOf(hash, found);
  }

  async #read(
    hash: Uint8Array,
    key: string,
    into: Uint8Array<ArrayBuffer> | undefined,
    options: ReadChunkOptions | undefined,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    // Of very many small chunks each is looked up once, not twice.
    const packed = this.#vault.readPacked(hash, into);
    if (packed !== undefined) return packed;
    for (;;) {
      const before = this.#writesDone;
      const found = this.#vault.find(hash, key);
      if (found === undefined) return undefined;
      const bytes = await this.#vault.read(hash, found, into, options);
      if (bytes !== undefined) return bytes;
      // A put may be about to replace what was read, or has; what it wrote is not what is damaged.
      const other = this.#writes.get(key);
      if (other === undefined && this.#writesDone === before) {
        return this.#vault.drop(hash, key, found);
      }
      await other?.catch(() => {});
    }
  }

  async #convert(hash: Uint8Array, key: string): Promise<boolean> {
    const vault = this.#vault;
    const found = vault.find(hash, key);
    if (found === undefined || vault.isSealed(hash, found) === vault.isSealing) return false;
    const bytes = await vault.readOrDrop(hash, key, found);
    if (bytes === undefined) return false;
    const stored = vault.seal(hash, bytes);
    if (found === "packed") {
      vault.packs?.replace(hash, stored, vault.isSealing);
      return true;
    }
    await vault.loose.write(key, formOf(vault.isSealing, false), stored);
    // Its name is safe before the other one goes.
    await this.flush();
    vault.loose.remove(found);
    return true;
  }

  /** Gives dead bytes of packs back, aside from whoever made them so. */
  #tidy(): void {
    if (this.#isTidying || this.#vault.packs?.isWasteful !== true || this.#isClosed) return;
    this.#isTidying = true;
    // What it cannot do stays to be done; whoever needs a flush hears of its own.
    this.flush().catch(() => {}).finally(() => this.#isTidying = false);
  }
}

async function countBytes(loose: LooseChunks): Promise<number> {
  let bytes = 0;
  for await (const key of loose.list("")) bytes += loose.find(key)?.size ?? 0;
  return bytes;
}

/** Puts a folder's entries on the disk. */
export async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}
