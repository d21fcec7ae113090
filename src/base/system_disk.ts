/**
 * The machine's own {@linkcode Disk}, on the runtime's files.
 *
 * Reads and writes at a place are a seek and a read or write here; the seek is left out when the file
 * stands there already, as it does for appends. One user per open file.
 */
import { existsSync, statfsSync } from "node:fs";
import { type FastWriter, openFastWriter } from "./_libc_writes.ts";
import type { Disk, DiskEntry, DiskFile, DiskOpenOptions, DiskRoom } from "./disk.ts";
import { openDirectFile } from "./direct_files.ts";
import { isMissing } from "./errors.ts";
import { PacedWriter } from "./paced_write.ts";

/** Only the owner reads what is in a log. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** So many writes of at most so many bytes make a second, faster way to write worth its open file. */
const SMALL_WRITES_MANY = 64;
const SMALL_BYTES_MAX = 16 * 1024;

/** Smaller writes are not worth the opening of the file for them. */
const PAST_BYTES_MIN = 1024 * 1024;

/** The file system of the machine. */
export const systemDisk: Disk = {
  open: (path, options) => new SystemFile(path, options ?? {}),
  sizeOf,
  list,
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true, mode: FOLDER_MODE }),
  rename: (from, to) => Deno.renameSync(from, to),
  remove,
  removeAside,
  syncFolder,
  syncFolderAside,
  listAside,
  mayHave: existsSync,
  writtenAtMs,
  roomOf,
  lock,
};

class SystemFile implements DiskFile {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  /** Where the next read or write goes without a seek. */
  #position = 0;
  #smallWrites = 0;
  #fast: FastWriter | undefined;
  readonly #writer = new PacedWriter();

  constructor(path: string, { create, createNew, readOnly }: DiskOpenOptions) {
    this.#path = path;
    this.#file = Deno.openSync(path, {
      read: true,
      write: readOnly !== true,
      create: create === true,
      createNew: createNew === true,
      ...(create === true || createNew === true ? { mode: FILE_MODE } : {}),
    });
  }

  size(): number {
    return this.#file.statSync().size;
  }

  readAt(offset: number, into: Uint8Array): number {
    this.#seek(offset);
    let done = 0;
    while (done < into.length) {
      const count = this.#file.readSync(done === 0 ? into : into.subarray(done));
      if (count === null || count === 0) break;
      done += count;
      this.#position += count;
    }
    return done;
  }

  writeAt(offset: number, bytes: Uint8Array): void {
    let done = bytes.length <= SMALL_BYTES_MAX ? this.#writeFast(offset, bytes) : 0;
    if (done === bytes.length) return;
    this.#seek(offset + done);
    while (done < bytes.length) {
      const count = this.#file.writeSync(done === 0 ? bytes : bytes.subarray(done));
      done += count;
      this.#position += count;
    }
  }

  async readAside(offset: number, into: Uint8Array): Promise<number> {
    this.#seek(offset);
    let done = 0;
    while (done < into.length) {
      const count = await this.#file.read(into.subarray(done));
      if (count === null || count === 0) break;
      done += count;
      this.#position += count;
    }
    return done;
  }

  async writeAside(offset: number, bytes: Uint8Array): Promise<void> {
    this.#seek(offset);
    await this.#writer.write(this.#file, bytes);
    this.#position += bytes.length;
  }

  async writePast(offset: number, bytes: Uint8Array): Promise<void> {
    using direct = bytes.length < PAST_BYTES_MIN || !this.#isWherePathLeads()
      ? undefined
      : openDirectFile(this.#path, "write");
    const done = await direct?.move(offset, bytes) ?? 0;
    if (done < bytes.length) await this.writeAside(offset + done, bytes.subarray(done));
  }

  truncate(size: number): void {
    this.#file.truncateSync(size);
  }

  sync(): Promise<void> {
    return this.#file.syncData();
  }

  syncNow(): void {
    this.#file.syncDataSync();
  }

  close(): void {
    this.#file.close();
    this.#fast?.close();
  }

  /** Bytes written the fast way: what is left, the runtime's own call writes, or it says what is wrong. */
  #writeFast(offset: number, bytes: Uint8Array): number {
    if (this.#fast === undefined) {
      this.#smallWrites += 1;
      if (this.#smallWrites !== SMALL_WRITES_MANY) return 0;
      this.#fast = this.#isWherePathLeads() ? openFastWriter(this.#path) : undefined;
      if (this.#fast === undefined) return 0;
    }
    return Math.max(0, this.#fast.writeAt(offset, bytes as Uint8Array<ArrayBuffer>));
  }

  /** The file may have been renamed since it was opened. */
  #isWherePathLeads(): boolean {
    try {
      const [there, own] = [Deno.statSync(this.#path), this.#file.statSync()];
      return own.ino !== null && there.ino === own.ino && there.dev === own.dev;
    } catch {
      return false;
    }
  }

  #seek(offset: number): void {
    if (offset === this.#position) return;
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    this.#position = offset;
  }
}

function sizeOf(path: string): number | undefined {
  try {
    const info = Deno.statSync(path);
    return info.isFile ? info.size : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function list(path: string): DiskEntry[] {
  try {
    const entries = [...Deno.readDirSync(path)].map(({ name, isDirectory }) => ({
      name,
      isFolder: isDirectory,
    }));
    return entries.sort((left, right) => left.name < right.name ? -1 : 1);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function removeAside(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function syncFolder(path: string): void {
  // Elsewhere a folder cannot be opened as a file, and its names are safe without it.
  if (Deno.build.os === "windows") return;
  using folder = Deno.openSync(path);
  folder.syncSync();
}

async function syncFolderAside(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path);
  await folder.sync();
}

async function listAside(path: string): Promise<DiskEntry[]> {
  const entries: DiskEntry[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      entries.push({ name, isFolder: isDirectory });
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return entries;
}

function writtenAtMs(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function roomOf(path: string): DiskRoom | undefined {
  try {
    const { bavail, blocks, bsize } = statfsSync(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    return undefined; // Not every system says it, and a folder may not be there yet.
  }
}

function lock(path: string): (() => void) | undefined {
  const file = Deno.openSync(path, { read: true, write: true, create: true, mode: FILE_MODE });
  if (file.tryLockSync(true)) return () => file.close();
  file.close();
  return undefined;
}
