/**
 * Chunks as files of their own (`chunk_names.ts`): written aside, synced, renamed.
 *
 * A file without `.new` in its name is on the device with all its bytes. The names themselves are put there by
 * {@linkcode LooseChunks.sync}, because syncing a folder costs as much as syncing a chunk and covers all names
 * that came before. Knows nothing of hashes and keys: what it gives back is for the caller to verify.
 */
import {
  type Disk,
  listAside,
  NetError,
  readAside,
  syncFolderAside,
  toHex,
  toNetError,
  writeAside,
  writePast,
} from "../../base/mod.ts";
import { TRANSFER_BYTES_MAX } from "../limits.ts";
import {
  CHUNK_FORMS,
  type ChunkForm,
  formOf,
  isShard,
  parseChunkName,
  shardOf,
} from "./chunk_names.ts";
import { ShardNames } from "./_shard_names.ts";
import { SEAL_BYTES } from "./sealing.ts";

/** Folder of files that are being written; whatever is in it at the start is left from a crash. */
const TEMP_FOLDER = "tmp";

/** Folders that are synced at the same time: enough to keep a device busy. */
const SYNCS_MAX = 8;

/** A chunk's file. */
export interface LooseChunk {
  readonly path: string;
  readonly form: ChunkForm;
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Bytes of the chunk, if the file is what it says. */
  readonly size: number;
}

/** The chunk files of one folder. */
export class LooseChunks {
  readonly #disk: Disk;
  readonly #folder: string;
  /** Subfolders that exist. */
  readonly #shards = new Set<string>();
  /** Folders with names that may not be on the device; the empty text is the top one. */
  readonly #unsynced = new Set<string>();
  readonly #names: ShardNames;
  #tempNumber = 0;
  /** Set when the device refused names: what it kept of them nobody knows until they are read again. */
  #failure: NetError | undefined;

  /** Forms that there can be. */
  readonly #forms: readonly ChunkForm[];

  /** @param canBeSealed False for a store that never had a sealed chunk; look-ups are quicker then. */
  constructor(disk: Disk, folder: string, canBeSealed: boolean) {
    this.#disk = disk;
    this.#folder = folder;
    this.#names = new ShardNames(disk, folder);
    this.#forms = CHUNK_FORMS.filter(({ isSealed }) => canBeSealed || !isSealed);
  }

  /** Makes the folders and removes what a crash left behind. */
  open(): void {
    const temp = `${this.#folder}/${TEMP_FOLDER}`;
    this.#disk.remove(temp);
    this.#disk.makeFolder(temp);
    // The name of the whole store: made just now, or by a process that was killed before it was safe.
    const above = this.#folder.lastIndexOf("/");
    if (above > 0) this.#disk.syncFolder(this.#folder.slice(0, above));
  }

  /** The file of a chunk; the plain one before the sealed one, the safe one before the young one. */
  find(key: string): LooseChunk | undefined {
    for (const form of this.#forms) {
      const path = this.pathOf(key, form);
      if (this.#disk.mayHave?.(path) === false) continue;
      const fileBytes = this.#disk.sizeOf(path);
      if (fileBytes === undefined) continue;
      const size = form.isSealed ? Math.max(0, fileBytes - SEAL_BYTES) : fileBytes;
      return { path, form, fileBytes, size };
    }
    return undefined;
  }

  /** The same for one of very many that are put: a file that somebody else brought may be missed. */
  findQuickly(key: string): LooseChunk | undefined {
    return this.#names.isAbsent(key) ? undefined : this.find(key);
  }

  /** The same, where only whether it is there counts. */
  isQuicklyAbsent(hash: Uint8Array): boolean {
    return this.#names.isEmpty(hash[0] ?? 0) || this.findQuickly(toHex(hash)) === undefined;
  }

  /** Path of a chunk in a form. */
  pathOf(key: string, form: ChunkForm): string {
    return `${this.#folder}/${shardOf(key)}/${key}${form.suffix}`;
  }

  /** Writes a file; on the device with all its bytes unless the form is young. */
  async write(key: string, form: ChunkForm, bytes: Uint8Array): Promise<void> {
    this.#throwIfFailed();
    this.#prepareShard(shardOf(key));
    this.#names.note(key);
    const temp = `${this.#folder}/${TEMP_FOLDER}/${key}.${this.#tempNumber++}`;
    try {
      const file = this.#disk.open(temp, { createNew: true });
      try {
        // A young one is a copy that somebody sent, which whoever asked for it has.
        await (form.isYoung ? writePast : writeAside)(file, 0, bytes);
        if (!form.isYoung) await file.sync();
      } finally {
        file.close();
      }
      this.#disk.rename(temp, this.pathOf(key, form));
    } catch (error) {
      this.#removeQuietly(temp);
      throw error;
    }
    // A young one may be lost with its name.
    if (!form.isYoung) this.#unsynced.add(shardOf(key));
  }

  /**
   * Puts the bytes of a young file on the device and says so in its name.
   *
   * @throws what the disk says; then the file is gone, because nobody knows what the device has of it.
   */
  async settle(key: string, chunk: LooseChunk): Promise<void> {
    this.#throwIfFailed();
    try {
      const file = this.#disk.open(chunk.path);
      try {
        await file.sync();
      } finally {
        file.close();
      }
    } catch (error) {
      this.#removeQuietly(chunk.path);
      throw error;
    }
    this.#disk.rename(chunk.path, this.pathOf(key, formOf(chunk.form.isSealed, false)));
    this.#unsynced.add(shardOf(key));
  }

  /**
   * Bytes of a chunk's file, in `into` when they fit.
   *
   * @returns `undefined` when it is gone, or larger than any chunk: it must not fill the memory.
   */
  async read(
    chunk: LooseChunk,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { path, fileBytes } = chunk;
    if (fileBytes > TRANSFER_BYTES_MAX + SEAL_BYTES) return undefined;
    if (this.#disk.sizeOf(path) === undefined) return undefined;
    const file = this.#disk.open(path, { readOnly: true });
    try {
      const isFitting = into !== undefined && into.length >= fileBytes;
      const buffer = isFitting ? into.subarray(0, fileBytes) : new Uint8Array(fileBytes);
      return buffer.subarray(0, await readAside(file, 0, buffer));
    } finally {
      file.close();
    }
  }

  /** Has {@linkcode LooseChunks.sync} cover the name of a chunk that is there, if none did since the start. */
  touch(key: string): void {
    this.#throwIfFailed();
    this.#prepareShard(shardOf(key));
  }

  /** Removes a file. */
  remove(chunk: LooseChunk): void {
    this.#disk.remove(chunk.path);
  }

  /** Unix milliseconds of a file. */
  writtenAtMs(chunk: Pick<LooseChunk, "path">): number | undefined {
    return this.#disk.writtenAtMs?.(chunk.path);
  }

  /** Folders of chunks, in order. */
  async shards(): Promise<readonly string[]> {
    const entries = await listAside(this.#disk, this.#folder);
    return entries.filter(({ name, isFolder }) => isFolder && isShard(name))
      .map(({ name }) => name).sort();
  }

  /** Hashes of a folder, each once and in order, and names that are no chunk's. */
  async listShard(
    shard: string,
  ): Promise<{ readonly hashes: readonly string[]; readonly strangers: readonly string[] }> {
    const hashes = new Set<string>();
    const strangers: string[] = [];
    for (const { name, isFolder } of await listAside(this.#disk, `${this.#folder}/${shard}`)) {
      const parsed = isFolder ? undefined : parseChunkName(shard, name);
      if (parsed === undefined) strangers.push(name);
      else hashes.add(parsed.hash.toHex());
    }
    return { hashes: [...hashes].sort(), strangers: strangers.sort() };
  }

  /** Hashes of all chunks above `after`, in hex and in order. */
  async *list(after: string): AsyncGenerator<string> {
    for (const shard of await this.shards()) {
      if (shard < shardOf(after)) continue;
      for (const key of (await this.listShard(shard)).hashes) if (key > after) yield key;
    }
  }

  /** Puts all names on the device. */
  async sync(): Promise<void> {
    this.#throwIfFailed();
    const names = [...this.#unsynced];
    this.#unsynced.clear();
    const work = async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        await syncFolderAside(this.#disk, name === "" ? this.#folder : `${this.#folder}/${name}`);
      }
    };
    try {
      await Promise.all(Array.from({ length: SYNCS_MAX }, work));
    } catch (error) {
      // A second try may well succeed and prove nothing: the system forgets what it could not write.
      const known = toNetError(error, "Cannot store chunk");
      this.#failure = new NetError(known.code, `${known.message}, names of chunks may be lost`, {
        cause: error,
        next: "check the device, then start the node again: it looks what is there",
      });
      throw this.#failure;
    }
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #prepareShard(shard: string): void {
    if (this.#shards.has(shard)) return;
    this.#disk.makeFolder(`${this.#folder}/${shard}`);
    this.#shards.add(shard);
    // A process that was killed may have left names here that no flush covered.
    this.#unsynced.add("").add(shard);
  }

  #removeQuietly(path: string): void {
    try {
      this.#disk.remove(path);
    } catch {
      // The first error is the one to tell; what is left is removed at the next start, or found damaged.
    }
  }
}
