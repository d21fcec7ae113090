/**
 * Chunks wherever they are kept, in files of their own or in packs, in the clear or sealed: found, read and verified,
 * counted, dropped.
 *
 * Who does what to a chunk at the same time is for the caller to order.
 */
import { type Disk, equalBytes, listAside, systemDisk, toHex } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { ChunkStoreCounters, ReadChunkOptions, SmallChunks } from "../chunk_store.ts";
import { HASH_BYTES } from "../limits.ts";
import { formOf, isShard } from "./chunk_names.ts";
import type { LooseChunk, LooseChunks } from "./loose_chunks.ts";
import { openPackStore } from "./open_packs.ts";
import type { PackLimits } from "./pack_options.ts";
import type { PackStore } from "./pack_store.ts";
import { Room } from "./room.ts";
import { type ChunkSealer, SEAL_BYTES } from "./sealing.ts";
import { writeUsage } from "./usage_note.ts";
import { ChunkProofs } from "./_chunk_proofs.ts";

/** Young files that are known to be whole, because this process wrote or verified them; about 100 B each. */
const VERIFIED_MAX = 16_384;

/** Folder of packs, made when the first packed chunk is put. */
const PACK_FOLDER = "packs";

/** Names of a store beside the folders of chunks. */
const OWN_NAMES: ReadonlySet<string> = new Set([PACK_FOLDER, "tmp", "usage", "sealed-with"]);

/** What {@linkcode ChunkVault} is made of. */
export interface VaultParts {
  readonly disk: Disk;
  readonly folder: string;
  readonly loose: LooseChunks;
  /** Bytes of the loose chunks. */
  readonly looseBytes: number;
  readonly quotaBytes: number | undefined;
  readonly sealer: ChunkSealer | undefined;
  /** Seals what is written from now on. */
  readonly isSealing: boolean;
  readonly packLimits?: Partial<PackLimits>;
}

/** Where a chunk is. */
export type FoundChunk = LooseChunk | "packed";

/** All chunks of one folder. */
export class ChunkVault {
  readonly counters: ChunkStoreCounters = { corrupt: 0, refused: 0 };
  readonly room: Room;
  readonly loose: LooseChunks;
  readonly isSealing: boolean;
  readonly #parts: VaultParts;
  #packs: PackStore | undefined;
  #packsOpening: Promise<PackStore> | undefined;
  /** Hashes of young files known to be whole, oldest first. */
  readonly #verified = new Set<string>();
  readonly #proofs = new ChunkProofs();

  constructor(parts: VaultParts) {
    this.#parts = parts;
    this.loose = parts.loose;
    this.isSealing = parts.isSealing;
    this.room = new Room({ ...parts, packedBytes: () => this.#packs?.usedBytes ?? 0 });
  }

  /** The packs, if there are any. */
  get packs(): PackStore | undefined {
    return this.#packs;
  }

  /** Opens the packs that are there. */
  async open(): Promise<void> {
    const { disk, folder } = this.#parts;
    if (disk.list(folder).some(({ name }) => name === PACK_FOLDER)) await this.requirePacks();
  }

  /** The packs, opened at the first call. */
  requirePacks(): Promise<PackStore> {
    if (this.#packs !== undefined) return Promise.resolve(this.#packs);
    const { disk, folder, packLimits } = this.#parts;
    const path = `${folder}/${PACK_FOLDER}`;
    this.#packsOpening ??= openPackStore({
      disk,
      folder: path,
      // Another disk than the machine's has no files that SQLite could open.
      indexPath: disk === systemDisk ? `${path}/index.db` : ":memory:",
      isWhole: (hash, stored, isSealed) => this.#unseal(hash, stored, isSealed) !== undefined,
      isElsewhere: (hash) => this.#isSafeLoose(toHex(hash)),
      onDamaged: () => this.counters.corrupt += 1,
      limits: packLimits,
    }).then((packs) => this.#packs = packs);
    const opening = this.#packsOpening;
    opening.catch(() => this.#packsOpening = undefined);
    return opening;
  }

  /**
   * Where a chunk is.
   *
   * @param isOneOfMany It is one of very many that are put: a file that somebody else brought may be missed.
   */
  find(hash: Uint8Array, key: string, isOneOfMany = false): FoundChunk | undefined {
    if (this.#packs?.has(hash) !== undefined) return "packed";
    return isOneOfMany ? this.loose.findQuickly(key) : this.loose.find(key);
  }

  /** Size of a chunk, if it is what it says. */
  sizeOf(hash: Uint8Array, found: FoundChunk): number | undefined {
    return found === "packed" ? this.#packs?.has(hash) : found.size;
  }

  /** True for a file that a loss of power may have torn before this process looked at it. */
  isUnsure(key: string, found: FoundChunk): boolean {
    return found !== "packed" && found.form.isYoung && !this.#verified.has(key);
  }

  isSealed(hash: Uint8Array, found: FoundChunk): boolean | undefined {
    return found === "packed" ? this.#packs?.isSealed(hash) : found.form.isSealed;
  }

  putAtMs(hash: Uint8Array, found: FoundChunk): number | undefined {
    return found === "packed" ? this.#packs?.putAtMs(hash) : this.loose.writtenAtMs(found);
  }

  /** The bytes of a chunk in a pack; `undefined` when it is in none, or damaged. */
  readPacked(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> | undefined {
    const packed = this.#packs?.read(hash);
    return packed && fit(this.#unseal(hash, packed.stored, packed.isSealed), into);
  }

  /** The bytes of a chunk, in `into` when they fit; `undefined` when they are damaged, or gone. */
  async read(
    hash: Uint8Array,
    found: FoundChunk,
    into?: Uint8Array<ArrayBuffer>,
    options: ReadChunkOptions = {},
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (found === "packed") return this.readPacked(hash, into);
    const { isSealed, isYoung } = found.form;
    if (isSealed) {
      const stored = await this.loose.read(found);
      const bytes = stored && this.#unseal(hash, stored, isSealed);
      if (bytes !== undefined && isYoung) this.#remember(toHex(hash));
      return fit(bytes, into);
    }
    const key = toHex(hash);
    const stamp = { writtenAtMs: this.loose.writtenAtMs(found), size: found.size };
    const bytes = await this.loose.read(found, into);
    const isProven = options.isTrusting === true && bytes?.length === found.size &&
      this.#proofs.holds(key, stamp, performance.now());
    if (isProven || bytes === undefined) return bytes;
    const actual = await (options.hash?.(bytes) ?? blake3(bytes));
    if (!equalBytes(actual, hash)) {
      this.#proofs.remove(key);
      return undefined;
    }
    this.#proofs.note(key, stamp, performance.now());
    if (isYoung) this.#remember(key);
    return bytes;
  }

  /** As {@linkcode ChunkVault.read}, and removes what is damaged. For whoever alone is at work on the chunk. */
  async readOrDrop(hash: Uint8Array, key: string, found: FoundChunk) {
    return await this.read(hash, found) ?? this.drop(hash, key, found);
  }

  /** What is stored of a chunk that is put now. */
  seal(hash: Uint8Array, bytes: Uint8Array): Uint8Array {
    const { sealer, isSealing } = this.#parts;
    return isSealing && sealer !== undefined ? sealer.seal(hash, bytes) : bytes;
  }

  /** Puts a small chunk into a pack. */
  putPacked(packs: PackStore, hash: Uint8Array, bytes: Uint8Array): void {
    this.room.require(bytes.length);
    packs.put(hash, this.seal(hash, bytes), this.isSealing);
  }

  /**
   * Puts small chunks into a pack together.
   *
   * @param chunks None of them is here, and each is there once.
   * @throws NetError `no_space`; then none was put.
   */
  putManyPacked(packs: PackStore, chunks: SmallChunks): void {
    this.room.require(chunks.bytes.length);
    packs.putMany(this.isSealing ? this.#sealMany(chunks) : chunks, this.isSealing);
  }

  /** True when there is no file of a chunk, as far as this process knows: one that somebody else brought may be missed. */
  isNotLoose(hash: Uint8Array): boolean {
    return this.loose.isQuicklyAbsent(hash);
  }

  /** Writes a file of its own; on the device with all its bytes if it is to be durable. */
  async writeLoose(
    hash: Uint8Array,
    key: string,
    bytes: Uint8Array,
    isDurable: boolean,
  ): Promise<void> {
    this.room.take(bytes.length);
    const form = formOf(this.isSealing, !isDurable);
    this.#proofs.remove(key);
    try {
      await this.loose.write(key, form, this.seal(hash, bytes));
      const writtenAtMs = this.loose.writtenAtMs({ path: this.loose.pathOf(key, form) });
      const stamp = { writtenAtMs, size: bytes.length };
      if (!form.isSealed) this.#proofs.note(key, stamp, performance.now());
    } catch (error) {
      this.room.give(bytes.length);
      throw error;
    }
    if (!isDurable) this.#remember(key);
  }

  /** Makes a chunk that is here, and whole, durable with the next sync. */
  async settle(key: string, found: FoundChunk): Promise<void> {
    if (found === "packed") return;
    if (!found.form.isYoung) return this.loose.touch(key);
    this.#verified.delete(key);
    try {
      await this.loose.settle(key, found);
    } catch (error) {
      if (this.loose.find(key) === undefined) this.room.give(found.size);
      throw error;
    }
  }

  /** Removes what is damaged. */
  drop(hash: Uint8Array, key: string, found: FoundChunk): undefined {
    this.#verified.delete(key);
    if (found === "packed") {
      if (this.#packs?.remove(hash) !== undefined) this.counters.corrupt += 1;
    } else if (this.loose.find(key)?.path === found.path) {
      this.#removeLoose(found);
      this.counters.corrupt += 1;
    }
  }

  /** Removes a chunk; its size, or `undefined` when it was not here. */
  remove(hash: Uint8Array, key: string): number | undefined {
    this.#verified.delete(key);
    let size: number | undefined;
    // One at a time is all there should be; a crash while one was converted may leave two, which count as one.
    for (let found = this.loose.find(key); found !== undefined; found = this.loose.find(key)) {
      this.loose.remove(found);
      if (size === undefined) this.room.give(found.size);
      size ??= found.size;
    }
    return this.#packs?.remove(hash) ?? size;
  }

  /** Hashes above `from`, in hex and in order, each once. */
  async *list(from: string): AsyncGenerator<string> {
    const packed = this.#packs?.list(from);
    let next = packed?.next();
    for await (const key of this.loose.list(from)) {
      for (; next?.done === false && next.value < key; next = packed?.next()) yield next.value;
      // In both for as long as a crash has left it so.
      if (next?.done !== false || next.value !== key) yield key;
    }
    for (; next?.done === false; next = packed?.next()) yield next.value;
  }

  /** Names below the folder that are no chunk's and not the store's own. */
  async *strangers(): AsyncGenerator<string> {
    const { disk, folder } = this.#parts;
    for (const { name, isFolder } of await listAside(disk, folder)) {
      const isShardFolder = isFolder && isShard(name);
      if (!isShardFolder && !OWN_NAMES.has(name)) yield name;
    }
    for (const shard of await this.loose.shards()) {
      for (const name of (await this.loose.listShard(shard)).strangers) yield `${shard}/${name}`;
    }
  }

  /** Makes everything durable that was put for good. */
  async sync(): Promise<void> {
    await this.loose.sync();
    await this.#packs?.flush();
  }

  /** Gives files back, after a last sync if that works. */
  async close(sync: () => Promise<void>): Promise<void> {
    await this.#packsOpening?.catch(() => {});
    try {
      await sync();
      writeUsage(this.#parts.disk, this.#parts.folder, this.room.looseBytes);
    } finally {
      this.#packs?.close();
    }
  }

  /** The chunk in what is stored of it; `undefined` when it is damaged. */
  #unseal(
    hash: Uint8Array,
    stored: Uint8Array,
    isSealed: boolean,
  ): Uint8Array<ArrayBuffer> | undefined {
    const bytes = isSealed ? this.#parts.sealer?.open(hash, stored) : stored;
    if (bytes === undefined || !equalBytes(blake3(bytes), hash)) return undefined;
    return bytes as Uint8Array<ArrayBuffer>;
  }

  #sealMany(chunks: SmallChunks): SmallChunks {
    const { count, hashes, sizes } = chunks;
    const sealed = new Uint8Array(chunks.bytes.length + count * SEAL_BYTES);
    let [from, to] = [0, 0];
    for (let i = 0; i < count; i++) {
      const hash = hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES);
      const size = sizes[i] ?? 0;
      sealed.set(this.seal(hash, chunks.bytes.subarray(from, from + size)), to);
      from += size;
      to += size + SEAL_BYTES;
    }
    const sealedSizes = Float64Array.from(
      { length: count },
      (_, i) => (sizes[i] ?? 0) + SEAL_BYTES,
    );
    return { count, hashes, sizes: sealedSizes, bytes: sealed };
  }

  #isSafeLoose(key: string): boolean {
    const found = this.loose.find(key);
    if (found?.form.isYoung !== true) return found !== undefined;
    this.#removeLoose(found);
    return false;
  }

  #removeLoose(found: LooseChunk): void {
    this.loose.remove(found);
    this.room.give(found.size);
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
