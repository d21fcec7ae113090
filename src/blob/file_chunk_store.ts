/**
 * Chunks as flat files, `ab/abcdef…` below one folder (`decisions.md` 14).
 *
 * A file appears under its name only when its bytes are on the disk: written aside, synced, renamed.
 * The names themselves are put on the disk by a flush, because syncing a folder costs as much as
 * syncing a chunk and covers all names that came before. The data folder's lock keeps a second process
 * out.
 */
import { equalBytes, fromHex, toHex, toNetError } from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";
import type { ChunkStore, ChunkStoreCounters } from "./chunk_store.ts";
import { HASH_BYTES, TRANSFER_BYTES_MAX } from "./limits.ts";

/** Folder of files that are being written; whatever is in it at the start is left from a crash. */
const TEMP_FOLDER = "tmp";

/**
 * Opens the store in `folder`, making it as needed and removing what a crash left behind.
 *
 * @throws NetError when the folder cannot be used.
 */
export async function openFileChunkStore(folder: string): Promise<ChunkStore> {
  try {
    await removeFolder(`${folder}/${TEMP_FOLDER}`);
    await Deno.mkdir(`${folder}/${TEMP_FOLDER}`, { recursive: true, mode: 0o700 });
    return new FileChunkStore(folder);
  } catch (error) {
    throw toNetError(error, `Cannot use chunk folder "${folder}"`);
  }
}

class FileChunkStore implements ChunkStore {
  readonly counters: ChunkStoreCounters = { corrupt: 0 };
  readonly #folder: string;
  /** Subfolders that exist. */
  readonly #folders = new Set<string>();
  /** Folders with names that may not be on the disk; the empty text is the top one. */
  readonly #unsynced = new Set<string>();
  #flush: Promise<void> = Promise.resolve();
  /** Writes under way by hash, so that equal chunks of one blob are written once. */
  readonly #writes = new Map<string, Promise<"stored" | "present">>();
  #tempNumber = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async has(hash: Uint8Array): Promise<number | undefined> {
    const info = await orMissing(Deno.stat(this.#path(toHex(hash))));
    return info?.isFile ? info.size : undefined;
  }

  async put(hash: Uint8Array, bytes: Uint8Array): Promise<"stored" | "present"> {
    const key = toHex(hash);
    const other = this.#writes.get(key);
    if (other !== undefined) return other.then(() => "present");
    const write = this.#write(hash, key, bytes);
    this.#writes.set(key, write);
    try {
      return await write;
    } catch (error) {
      throw toNetError(error, "Cannot store chunk");
    } finally {
      this.#writes.delete(key);
    }
  }

  flush(): Promise<void> {
    // One after the other: what a flush under way took on counts as done only at its end.
    const flush = this.#flush.catch(() => {}).then(() => this.#syncFolders());
    this.#flush = flush;
    return flush;
  }

  async read(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = this.#path(toHex(hash));
    const size = (await orMissing(Deno.stat(path)))?.size;
    if (size === undefined) return undefined;
    // Nobody writes larger chunks; a file that grew must not fill the memory.
    const bytes = size > TRANSFER_BYTES_MAX ? undefined : await readFile(path, size, into);
    if (bytes !== undefined && equalBytes(blake3(bytes), hash)) return bytes;
    if (await this.remove(hash) !== undefined) this.counters.corrupt += 1;
    return undefined;
  }

  async remove(hash: Uint8Array): Promise<number | undefined> {
    const path = this.#path(toHex(hash));
    const size = (await orMissing(Deno.stat(path)))?.size;
    if (size === undefined) return undefined;
    await orMissing(Deno.remove(path));
    return size;
  }

  async *list(): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    for await (const folder of Deno.readDir(this.#folder)) {
      if (!folder.isDirectory || !/^[0-9a-f]{2}$/.test(folder.name)) continue;
      for await (const file of Deno.readDir(`${this.#folder}/${folder.name}`)) {
        const hash = file.isFile ? fromHex(file.name, HASH_BYTES) : undefined;
        if (hash !== undefined && file.name.startsWith(folder.name)) yield hash;
      }
    }
  }

  async usedBytes(): Promise<number> {
    let bytes = 0;
    for await (const hash of this.list()) bytes += await this.has(hash) ?? 0;
    return bytes;
  }

  #path(key: string): string {
    return `${this.#folder}/${key.slice(0, 2)}/${key}`;
  }

  async #write(hash: Uint8Array, key: string, bytes: Uint8Array): Promise<"stored" | "present"> {
    const path = this.#path(key);
    await this.#prepareFolder(key.slice(0, 2));
    // Reading it again makes a put the way to repair a file that was damaged.
    if (await this.read(hash) !== undefined) return "present";
    const temp = `${this.#folder}/${TEMP_FOLDER}/${key}.${this.#tempNumber++}`;
    try {
      using file = await Deno.open(temp, { createNew: true, write: true, mode: 0o600 });
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.syncData();
      await Deno.rename(temp, path);
    } catch (error) {
      await orMissing(Deno.remove(temp)).catch(() => {}); // The first error is the one to tell.
      throw error;
    }
    this.#unsynced.add(key.slice(0, 2));
    return "stored";
  }

  async #syncFolders(): Promise<void> {
    for (const name of [...this.#unsynced]) {
      this.#unsynced.delete(name);
      try {
        await syncFolder(`${this.#folder}/${name}`);
      } catch (error) {
        this.#unsynced.add(name);
        throw toNetError(error, "Cannot store chunk");
      }
    }
  }

  async #prepareFolder(prefix: string): Promise<void> {
    if (this.#folders.has(prefix)) return;
    await Deno.mkdir(`${this.#folder}/${prefix}`, { recursive: true, mode: 0o700 });
    this.#folders.add(prefix);
    // A process that was killed may have left names here that no flush covered.
    this.#unsynced.add("").add(prefix);
  }
}

/** Puts a folder's entries on the disk. */
export async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}

/** The first `size` bytes of a file, in `into` when they fit; fewer when the file is shorter. */
async function readFile(
  path: string,
  size: number,
  into: Uint8Array<ArrayBuffer> | undefined,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const buffer = into !== undefined && into.length >= size ? into : new Uint8Array(size);
  using file = await orMissing(Deno.open(path));
  if (file === undefined) return undefined;
  let length = 0;
  while (length < size) {
    const count = await file.read(buffer.subarray(length, size));
    if (count === null) break;
    length += count;
  }
  return buffer.subarray(0, length);
}

async function removeFolder(path: string): Promise<void> {
  await orMissing(Deno.remove(path, { recursive: true }));
}

/** `undefined` instead of an error when there is no such file. */
async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
