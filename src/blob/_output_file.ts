/**
 * A file that appears under its name complete or not at all. It has the durability of a copy: what a loss of power
 * right behind it leaves is the system's affair, unless the disk is waited for.
 *
 * It is written beside its place as `.NAME.net-<random>.part`, locked by its writer. A part whose lock is
 * free belongs to a writer that was killed; the next writer of the same name removes it.
 */
import {
  type DirectFile,
  isMissing,
  isNoSpace,
  NetError,
  openDirectFile,
  PacedWriter,
  type RandomBytes,
  toHex,
  toNetError,
} from "../base/mod.ts";
import type { BlobSink } from "./fetch.ts";
import { syncFolder } from "./file_chunk_store.ts";

/** File names have at most 255 bytes; this leaves room for what is put around the name. */
const NAME_BYTES_MAX = 200;

const RANDOM_BYTES = 8;

/** A first piece of this size, a chunk, is one of many: they are written past the system's cache. */
const DIRECT_BYTES_MIN = 1024 * 1024;

/** Entries of a folder looked through for dead parts. */
const ENTRIES_MAX = 100_000;

/** A file in the making. */
export interface OutputFile extends BlobSink {
  /** Where it is while it is made, and what it is called then. */
  readonly partPath: string;
  readonly path: string;
  /** Appends; throws NetError `no_space` on a full disk. */
  write(bytes: Uint8Array): Promise<void>;
  /** Writes at a place, several at a time, each place once; instead of {@linkcode OutputFile.write}. */
  writeAt(offset: number, bytes: Uint8Array): Promise<void>;
  /** Gives the file its name; before that everything is on the disk, if that was asked for. */
  commit(): Promise<void>;
  /** Removes what was written, unless it was committed; idempotent. */
  discard(): Promise<void>;
}

/** Options of {@linkcode openOutputFile}. */
export interface OpenOutputFileOptions {
  /** Replaces a file of that name; otherwise one that exists is an error. */
  readonly overwrite: boolean;
  /** Waits until file and name are on the disk; false when left out. */
  readonly isSynced?: boolean;
  readonly random: RandomBytes;
}

/**
 * Begins a file at `path`.
 *
 * @throws NetError `conflict` when it exists, `usage` for a place no file can be, `not_allowed`.
 */
export async function openOutputFile(
  path: string,
  options: OpenOutputFileOptions,
): Promise<OutputFile> {
  const slash = path.lastIndexOf("/");
  const folder = slash < 0 ? "." : path.slice(0, slash) || "/";
  const name = path.slice(slash + 1);
  if (name === "" || name === "." || name === "..") throw notAFile(path);
  await checkPlace(path, options.overwrite);
  const prefix = `.${shorten(name)}.net-`;
  try {
    await removeDeadParts(folder, prefix);
    const part = await createPart(folder, prefix, options.random);
    return new PartFile(path, folder, part, options);
  } catch (error) {
    throw toOutputError(error, path);
  }
}

interface Part {
  readonly path: string;
  readonly file: Deno.FsFile;
}

class PartFile implements OutputFile {
  readonly path: string;
  readonly #folder: string;
  readonly #part: Part;
  readonly #options: OpenOutputFileOptions;
  #isEnded = false;
  readonly #writer = new PacedWriter();
  /** Opened with the first large piece. */
  #direct: DirectFile | undefined;
  #isBegun = false;
  /** Bytes that were appended. */
  #size = 0;
  /** Where the file stands; −1 when nobody knows. */
  #position = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, folder: string, part: Part, options: OpenOutputFileOptions) {
    this.path = path;
    this.#folder = folder;
    this.#part = part;
    this.#options = options;
  }

  readonly keepsBytes = false;

  get partPath(): string {
    return this.#part.path;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const offset = this.#size;
    this.#size += bytes.length;
    await this.writeAt(offset, bytes);
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    try {
      if (!this.#isBegun && bytes.length >= DIRECT_BYTES_MIN) {
        this.#direct = openDirectFile(this.#part.path, "write");
      }
      this.#isBegun = true;
      const done = await this.#direct?.move(offset, bytes) ?? 0;
      if (done < bytes.length) await this.#writeThrough(offset + done, bytes.subarray(done));
    } catch (error) {
      throw toOutputError(error, this.path);
    }
  }

  /** In the ordinary way, one after the other: writers share the place where the file stands. */
  #writeThrough(offset: number, bytes: Uint8Array): Promise<void> {
    const { file } = this.#part;
    const write = this.#writing.then(async () => {
      if (offset !== this.#position) await file.seek(offset, Deno.SeekMode.Start);
      this.#position = -1;
      await this.#writer.write(file, bytes);
      this.#position = offset + bytes.length;
    });
    this.#writing = write.catch(() => {}); // Whoever writes is told.
    return write;
  }

  async commit(): Promise<void> {
    const { path, file } = this.#part;
    try {
      // As private as the user's other new files; until now nobody else could look.
      await Deno.chmod(path, 0o666 & ~Deno.umask());
      if (this.#options.isSynced === true) await file.sync();
      if (this.#options.overwrite) await Deno.rename(path, this.path);
      else await this.#linkOrRename();
      this.#isEnded = true;
      this.#close();
      if (this.#options.isSynced === true) await syncFolder(this.#folder);
    } catch (error) {
      throw toOutputError(error, this.path);
    }
  }

  async discard(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    await removeIfThere(this.#part.path);
    this.#close();
  }

  #close(): void {
    this.#direct?.[Symbol.dispose]();
    this.#part.file.close();
  }

  /** A link never replaces a file that came meanwhile, as a rename would. */
  async #linkOrRename(): Promise<void> {
    const { path } = this.#part;
    try {
      await Deno.link(path, this.path);
      await removeIfThere(path);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) throw error;
      // Not every file system has links.
      await checkPlace(this.path, false);
      await Deno.rename(path, this.path);
    }
  }
}

async function createPart(folder: string, prefix: string, random: RandomBytes): Promise<Part> {
  for (;;) {
    const path = `${folder}/${prefix}${toHex(random(RANDOM_BYTES))}.part`;
    const file = await Deno.open(path, { createNew: true, write: true, mode: 0o600 });
    try {
      await file.lock(true);
      // Between creating and locking, a cleaner may have taken it for a dead one.
      if ((await file.stat()).nlink !== 0) return { path, file };
    } catch (error) {
      file.close();
      await removeIfThere(path);
      throw error;
    }
    file.close();
  }
}

async function removeDeadParts(folder: string, prefix: string): Promise<void> {
  let seen = 0;
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (++seen > ENTRIES_MAX) return;
    const isPart = isFile && name.startsWith(prefix) &&
      /^[0-9a-f]{16}\.part$/.test(name.slice(prefix.length));
    if (!isPart) continue;
    try {
      using file = await Deno.open(`${folder}/${name}`, { write: true });
      if (await file.tryLock(true)) await removeIfThere(`${folder}/${name}`);
    } catch {
      // Somebody else's, or gone meanwhile: not ours to clean.
    }
  }
}

async function checkPlace(path: string, mayExist: boolean): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw toOutputError(error, path);
  }
  if (info.isDirectory) throw notAFile(path);
  if (await isSpecial(path)) throw notPlain(path);
  if (!mayExist) throw fileExists(path);
}

/** A device, a pipe or a socket, also behind a link: a file would take the place of what the system needs. */
async function isSpecial(path: string): Promise<boolean> {
  const info = await Deno.stat(path).catch(() => undefined); // A link to nothing is replaced.
  return info !== undefined && !info.isFile && !info.isDirectory;
}

/** The name, cut at a character's end so that it fits. */
function shorten(name: string): string {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length <= NAME_BYTES_MAX) return name;
  const cut = new TextDecoder().decode(bytes.subarray(0, NAME_BYTES_MAX));
  return cut.replace(/\ufffd+$/, "");
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function notAFile(path: string): NetError {
  return new NetError("usage", `Cannot write "${path}": it is a folder, must be a file`, {
    next: "add a file name",
  });
}

function notPlain(path: string): NetError {
  return new NetError("usage", `Cannot write "${path}": it is a device, a pipe or a socket`, {
    next: "choose a file, or write to such a place with net blob cat",
  });
}

function fileExists(path: string): NetError {
  return new NetError("conflict", `Cannot write "${path}": the file exists`, {
    next: "choose another name, or replace it with --force",
  });
}

function toOutputError(error: unknown, path: string): NetError {
  if (error instanceof NetError) return error;
  if (isNoSpace(error)) {
    return new NetError("no_space", `Cannot write "${path}": no space left on the device`, {
      cause: error,
      next: "free some space or choose another folder, then repeat the command",
    });
  }
  if (error instanceof Deno.errors.AlreadyExists) return fileExists(path);
  if (isMissing(error)) {
    return new NetError("usage", `Cannot write "${path}": its folder does not exist`, {
      cause: error,
      next: "make the folder, or choose another one",
    });
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new NetError("not_allowed", `Cannot write "${path}": permission denied`, {
      cause: error,
      next: "choose a folder that you may write to",
    });
  }
  return toNetError(error, `Cannot write "${path}"`);
}
