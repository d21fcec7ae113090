/**
 * The chunk store on a disk: files of their own (`decisions.md` 14) or shared ones, in the clear or sealed.
 *
 * What a chunk is kept in is the business of `chunks/`; here is what all kinds have in common: one write per
 * hash at a time, every read verified, room, keys. The data folder's lock keeps a second process out.
 */
import {
  type Disk,
  equalBytes,
  listAside,
  NetError,
  type RandomBytes,
  readAside,
  systemDisk,
  systemRandom,
  toHex,
  toNetError,
} from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";
import { formOf, isShard } from "./chunks/chunk_names.ts";
import { type LooseChunk, LooseChunks } from "./chunks/loose_chunks.ts";
import { PACKED_BYTES_MAX } from "./chunks/pack_record.ts";
import { openPackStore, type PackLimits, type PackStore } from "./chunks/pack_store.ts";
import { Room } from "./chunks/room.ts";
import { ChunkSealer, requireStoreKey } from "./chunks/sealing.ts";
import { takeUsage, writeUsage } from "./chunks/usage_note.ts";
import type {
  ChunkStore,
  ChunkStoreCounters,
  SmallChunk,
  StoreChunkOptions,
  StoreRoom,
} from "./chunk_store.ts";
import { TRANSFER_BYTES_MAX } from "./limits.ts";

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
  /** Other sizes of packs, for tests. */
  readonly packLimits?: Partial<PackLimits>;
}

/** A chunk store on a disk. */
export interface FileChunkStore extends ChunkStore {
  /** True when chunks that are put now are sealed. */
  readonly isSealing: boolean;
  /** Changes the quota; what is above it stays. */
  setQuota(quotaBytes: number | undefined): void;
  /** Names below the folder that are no chunk's and not the store's own. */
  strangers(): AsyncIterableIterator<string>;
  /**
   * Takes a stranger whose name looks like a hash for a chunk: stores it under the hash it has, and removes it
   * where it was; that hash, or `undefined` for what is left alone.
   */
  adopt(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Seals a chunk, or opens it, as the store does with those that are put now; false when there is nothing to do.
   * Of a packed one, the form before is gone when its pack is given up.
   */
  convert(hash: Uint8Array): Promise<boolean>;
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
    // Before anything else: who has the wrong key changes nothing.
    const canBeSealed = requireStoreKey(disk, folder, sealer, isSealing);
    const loose = new LooseChunks(disk, folder, canBeSealed);
    loose.open();
    const looseBytes = takeUsage(disk, folder) ?? await countBytes(loose);
    const { quotaBytes } = options;
    const store = new DiskChunkStore({ ...options, disk, folder, loose, sealer, isSealing }, {
      quotaBytes,
      looseBytes,
    });
    if (disk.list(folder).some(({ name }) => name === PACK_FOLDER)) await store.openPacks();
    return store;
  } catch (error) {
    throw toNetError(error, `Cannot use chunk folder "${folder}"`);
  }
}

/** Folder of packs, made when the first packed chunk is put. */
const PACK_FOLDER = "packs";

/** Names of a store beside the folders of chunks. */
const OWN_NAMES: ReadonlySet<string> = new Set([PACK_FOLDER, "tmp", "usage", "sealed-with"]);

/** A file that was meant to be a chunk: another folder, capital letters, or an ending. */
const MISNAMED = /^(?:[0-9a-f]{2}\/)?[0-9a-f]{64}(?:\.[\w.-]{1,32})?$/i;

interface StoreParts {
  readonly disk: Disk;
  readonly folder: string;
  readonly loose: LooseChunks;
  readonly sealer: ChunkSealer | undefined;
  readonly isSealing: boolean;
  readonly packLimits?: Partial<PackLimits>;
}

/** Where a chunk is. */
type Found = LooseChunk | "packed";

class DiskChunkStore implements FileChunkStore {
  readonly counters: ChunkStoreCounters = { corrupt: 0, refused: 0 };
  readonly #parts: StoreParts;
  readonly #room: Room;
  #packs: PackStore | undefined;
  #packsOpening: Promise<PackStore> | undefined;
  #flush: Promise<void> = Promise.resolve();
  #isTidying = false;
  /** Work under way by hash: puts, and what makes a chunk durable. */
  readonly #writes = new Map<string, Promise<unknown>>();
  /** Writes so far: a read that found damage looks again if one came in between. */
  #writesDone = 0;
  /** Hashes of young files known to be whole, oldest first. */
  readonly #verified = new Set<string>();
  #isClosed = false;

  constructor(
    parts: StoreParts,
    room: { readonly quotaBytes: number | undefined; readonly looseBytes: number },
  ) {
    this.#parts = parts;
    const { disk, folder } = parts;
    const packedBytes = () => this.#packs?.usedBytes ?? 0;
    this.#room = new Room({ disk, folder, packedBytes, ...room });
  }

  get isSealing(): boolean {
    return this.#parts.isSealing;
  }

  setQuota(quotaBytes: number | undefined): void {
    this.#room.setQuota(quotaBytes);
  }

  /** Opens the packs, once. */
  openPacks(): Promise<PackStore> {
    const { disk, folder, packLimits } = this.#parts;
    const path = `${folder}/${PACK_FOLDER}`;
    this.#packsOpening ??= openPackStore({
      disk,
      folder: path,
      // Another disk than the machine's has no files that SQLite could open.
      indexPath: disk === systemDisk ? `${path}/index.db` : ":memory:",
      isWhole: (hash, stored, isSealed) => this.#verify(hash, stored, isSealed) !== undefined,
      isElsewhere: (hash) => this.#isSafeLoose(toHex(hash)),
      onDamaged: () => this.counters.corrupt += 1,
      limits: packLimits,
    }).then((packs) => this.#packs = packs);
    const opening = this.#packsOpening;
    opening.catch(() => this.#packsOpening = undefined);
    return opening;
  }

  async has(hash: Uint8Array): Promise<number | undefined> {
    const key = toHex(hash);
    const found = this.#find(hash, key);
    if (found === undefined) return undefined;
    if (found === "packed") return this.#packs?.has(hash);
    if (!found.form.isYoung || this.#verified.has(key)) return found.size;
    return (await this.read(hash))?.length;
  }

  async put(
    hash: Uint8Array,
    bytes: Uint8Array,
    options: StoreChunkOptions = {},
  ): Promise<"stored" | "present"> {
    const key = toHex(hash);
    try {
      return await this.#inTurn(key, () => this.#write(hash, key, bytes, options));
    } catch (error) {
      const known = toNetError(error, "Cannot store chunk");
      if (known.code === "no_space") this.counters.refused += 1;
      throw known;
    }
  }

  async putMany(chunks: readonly SmallChunk[]): Promise<readonly ("stored" | "present")[]> {
    const outcomes: ("stored" | "present")[] = [];
    const { sealer, isSealing, loose } = this.#parts;
    try {
      const packs = this.#packs ?? await this.openPacks();
      for (const { hash, bytes } of chunks) {
        const key = toHex(hash);
        const isNew = !this.#isClosed && !this.#writes.has(key) &&
          bytes.length <= PACKED_BYTES_MAX && packs.has(hash) === undefined &&
          loose.findQuickly(key) === undefined;
        if (isNew) {
          this.#room.require(bytes.length);
          const isSealed = isSealing && sealer !== undefined;
          packs.put(hash, isSealed ? sealer.seal(hash, bytes) : bytes, isSealing);
          outcomes.push("stored");
        } else outcomes.push(await this.put(hash, bytes, { isPacked: true }));
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
    const flush = this.#flush.catch(() => {}).then(async () => {
      await this.#parts.loose.sync();
      await this.#packs?.flush();
    });
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
      const size = this.#remove(hash, toHex(hash));
      this.#tidy();
      return size;
    } catch (error) {
      throw toNetError(error, "Cannot remove chunk");
    }
  }

  async *list(
    { after }: { readonly after?: Uint8Array } = {},
  ): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    const from = after === undefined ? "" : toHex(after);
    const packed = this.#packs?.list(from);
    let next = packed?.next();
    for await (const key of this.#parts.loose.list(from)) {
      for (; next?.done === false && next.value < key; next = packed?.next()) {
        yield Uint8Array.fromHex(next.value);
      }
      // In both for as long as a crash has left it so.
      if (next?.done === false && next.value === key) continue;
      yield Uint8Array.fromHex(key);
    }
    for (; next?.done === false; next = packed?.next()) yield Uint8Array.fromHex(next.value);
  }

  async *strangers(): AsyncIterableIterator<string> {
    const { disk, folder, loose } = this.#parts;
    for (const { name, isFolder } of await listAside(disk, folder)) {
      const isShardFolder = isFolder && isShard(name);
      if (!isShardFolder && !OWN_NAMES.has(name)) yield name;
    }
    for (const shard of await loose.shards()) {
      for (const name of (await loose.listShard(shard)).strangers) yield `${shard}/${name}`;
    }
  }

  async adopt(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { disk, folder } = this.#parts;
    if (!MISNAMED.test(name)) return undefined;
    const path = `${folder}/${name}`;
    try {
      const size = disk.sizeOf(path);
      if (size === undefined || size > TRANSFER_BYTES_MAX) return undefined;
      const bytes = new Uint8Array(size);
      const file = disk.open(path, { readOnly: true });
      try {
        if (await readAside(file, 0, bytes) < size) return undefined;
      } finally {
        file.close();
      }
      const hash = blake3(bytes);
      await this.put(hash, bytes);
      await this.flush();
      disk.remove(path);
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
    const { loose } = this.#parts;
    const found = this.#find(hash, toHex(hash));
    const atMs = found === "packed"
      ? this.#packs?.putAtMs(hash)
      : found && loose.writtenAtMs(found);
    return Promise.resolve(atMs);
  }

  room(): StoreRoom {
    return this.#room.report();
  }

  usedBytes(): Promise<number> {
    return Promise.resolve(this.#room.usedBytes);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#writes.values());
    await this.#packsOpening?.catch(() => {});
    try {
      await this.flush();
      writeUsage(this.#parts.disk, this.#parts.folder, this.#room.looseBytes);
    } finally {
      this.#packs?.close();
    }
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

  #isSafeLoose(key: string): boolean {
    const { loose } = this.#parts;
    const found = loose.find(key);
    if (found?.form.isYoung !== true) return found !== undefined;
    loose.remove(found);
    this.#room.give(found.size);
    return false;
  }

  #find(hash: Uint8Array, key: string, isOneOfMany = false): Found | undefined {
    if (this.#packs?.has(hash) !== undefined) return "packed";
    const { loose } = this.#parts;
    return isOneOfMany ? loose.findQuickly(key) : loose.find(key);
  }

  async #write(
    hash: Uint8Array,
    key: string,
    bytes: Uint8Array,
    options: StoreChunkOptions,
  ): Promise<"stored" | "present"> {
    const { isDurable = true, isPacked = false } = options;
    const found = this.#find(hash, key, isPacked);
    // Reading it again makes a put the way to repair a file that was damaged.
    if (found !== undefined && await this.#readFound(hash, key, found) !== undefined) {
      if (isDurable) await this.#settle(key, found);
      return "present";
    }
    const { sealer, isSealing } = this.#parts;
    const seal = () => isSealing && sealer !== undefined ? sealer.seal(hash, bytes) : bytes;
    if (isPacked && bytes.length <= PACKED_BYTES_MAX) {
      const packs = this.#packs ?? await this.openPacks();
      this.#room.require(bytes.length);
      packs.put(hash, seal(), isSealing);
      return "stored";
    }
    this.#room.take(bytes.length);
    try {
      await this.#parts.loose.write(key, formOf(isSealing, !isDurable), seal());
    } catch (error) {
      this.#room.give(bytes.length);
      throw error;
    }
    if (!isDurable) this.#remember(key);
    return "stored";
  }

  async #keep(hash: Uint8Array, key: string): Promise<number | undefined> {
    const found = this.#find(hash, key);
    if (found === undefined) return undefined;
    if (found === "packed") return this.#packs?.has(hash);
    const isUnsure = found.form.isYoung && !this.#verified.has(key);
    if (isUnsure && await this.#readFound(hash, key, found) === undefined) return undefined;
    await this.#settle(key, found);
    return found.size;
  }

  /** Makes a chunk that is here, and whole, durable with the next flush. */
  async #settle(key: string, found: Found): Promise<void> {
    const { loose } = this.#parts;
    if (found === "packed") return;
    if (!found.form.isYoung) return loose.touch(key);
    this.#verified.delete(key);
    try {
      await loose.settle(key, found);
    } catch (error) {
      if (loose.find(key) === undefined) this.#room.give(found.size);
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
      const found = this.#find(hash, key);
      if (found === undefined) return undefined;
      const bytes = await this.#verifiedBytes(hash, found, into);
      if (bytes !== undefined) {
        if (found !== "packed" && found.form.isYoung) this.#remember(key);
        return bytes;
      }
      // A put may be about to replace what was read, or has; what it wrote is not what is damaged.
      const other = this.#writes.get(key);
      if (other === undefined && this.#writesDone === before) return this.#drop(hash, key, found);
      await other?.catch(() => {});
    }
  }

  /** As {@linkcode DiskChunkStore.read}, for whoever is at work on the chunk. */
  async #readFound(
    hash: Uint8Array,
    key: string,
    found: Found,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await this.#verifiedBytes(hash, found, undefined) ?? this.#drop(hash, key, found);
  }

  async #verifiedBytes(
    hash: Uint8Array,
    found: Found,
    into: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { loose } = this.#parts;
    if (found === "packed") {
      const packed = this.#packs?.read(hash);
      return packed && fit(this.#verify(hash, packed.stored, packed.isSealed), into);
    }
    const { isSealed } = found.form;
    const stored = await loose.read(found, isSealed ? undefined : into);
    const bytes = stored && this.#verify(hash, stored, isSealed);
    return isSealed ? fit(bytes, into) : bytes;
  }

  /** The chunk in what is stored of it; `undefined` when it is damaged. */
  #verify(
    hash: Uint8Array,
    stored: Uint8Array,
    isSealed: boolean,
  ): Uint8Array<ArrayBuffer> | undefined {
    const bytes = isSealed ? this.#parts.sealer?.open(hash, stored) : stored;
    if (bytes === undefined || !equalBytes(blake3(bytes), hash)) return undefined;
    return bytes as Uint8Array<ArrayBuffer>;
  }

  /** Removes what is damaged. */
  #drop(hash: Uint8Array, key: string, found: Found): undefined {
    const { loose } = this.#parts;
    this.#verified.delete(key);
    if (found === "packed") {
      if (this.#packs?.remove(hash) !== undefined) this.counters.corrupt += 1;
      return undefined;
    }
    if (loose.find(key)?.path !== found.path) return undefined;
    loose.remove(found);
    this.#room.give(found.size);
    this.counters.corrupt += 1;
  }

  #remove(hash: Uint8Array, key: string): number | undefined {
    const { loose } = this.#parts;
    this.#verified.delete(key);
    let size: number | undefined;
    // One at a time is all there should be; a crash between two steps may leave two.
    for (let found = loose.find(key); found !== undefined; found = loose.find(key)) {
      loose.remove(found);
      this.#room.give(found.size);
      size ??= found.size;
    }
    return this.#packs?.remove(hash) ?? size;
  }

  async #convert(hash: Uint8Array, key: string): Promise<boolean> {
    const { loose, sealer, isSealing } = this.#parts;
    const found = this.#find(hash, key);
    if (found === undefined) return false;
    const isSealed = found === "packed" ? this.#packs?.isSealed(hash) : found.form.isSealed;
    if (isSealed === isSealing) return false;
    const bytes = await this.#readFound(hash, key, found);
    if (bytes === undefined) return false;
    const stored = isSealing && sealer !== undefined ? sealer.seal(hash, bytes) : bytes;
    if (found === "packed") {
      this.#packs?.replace(hash, stored, isSealing);
      return true;
    }
    await loose.write(key, formOf(isSealing, false), stored);
    // Its name is safe before the other one goes.
    await this.flush();
    loose.remove(found);
    return true;
  }

  /** Gives dead bytes of packs back, aside from whoever made them so. */
  #tidy(): void {
    if (this.#isTidying || this.#packs?.isWasteful !== true || this.#isClosed) return;
    this.#isTidying = true;
    // What it cannot do stays to be done; whoever needs a flush hears of its own.
    this.flush().catch(() => {}).finally(() => this.#isTidying = false);
  }

  #remember(key: string): void {
    this.#verified.delete(key);
    this.#verified.add(key);
    if (this.#verified.size <= VERIFIED_MAX) return;
    const [oldest] = this.#verified;
    if (oldest !== undefined) this.#verified.delete(oldest);
  }
}

/** Bytes in `into` when they fit. */
function fit(
  bytes: Uint8Array<ArrayBuffer> | undefined,
  into: Uint8Array<ArrayBuffer> | undefined,
): Uint8Array<ArrayBuffer> | undefined {
  if (bytes === undefined || into === undefined || into.length < bytes.length) return bytes;
  into.set(bytes);
  return into.subarray(0, bytes.length);
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
