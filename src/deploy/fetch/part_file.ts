/**
 * The file that bytes are fetched into, beside its target: `.N.part`.
 *
 * It is never executable, one process has it at a time, and what it holds is hashed as it comes, so that
 * an interrupted fetch goes on where it stopped: `.N.part.json` says what was being fetched.
 */
import { NetError, pause, systemDisk, toNetError } from "../../base/mod.ts";
import { type Blake3, createBlake3, createSha256, type Sha256 } from "../../core/crypto/mod.ts";
import { EXECUTABLE_HEAD_BYTES } from "../elf.ts";
import { readTextWithin } from "../toolkit.ts";

/** What is being fetched. */
export interface PartOrigin {
  /** Path or address. */
  readonly place: string;
  readonly validator?: string;
  /** Bytes of the whole. */
  readonly size?: number;
}

/** Both hashes, 64 lowercase hexadecimal digits each. */
export interface Digests {
  readonly sha256: string;
  readonly blake3: string;
}

const READ_BYTES = 256 * 1024;
const ORIGIN_BYTES_MAX = 16 * 1024;
/** Pause between two looks whether another process is done with a part. */
const LOCK_POLL_MS = 50;
const MODE_PART = 0o600;
/** Mode of what was verified. */
export const MODE_EXECUTABLE = 0o755;

/** An open part. Bytes are only ever added at its end. */
export class PartFile {
  #file: Deno.FsFile;
  #isClosed = false;
  #length = 0;
  #head = new Uint8Array(0);
  #sha256: Sha256 = createSha256();
  #blake3: Blake3 = createBlake3();
  #origin: PartOrigin | undefined;

  private constructor(readonly path: string, file: Deno.FsFile) {
    this.#file = file;
  }

  /**
   * Opens the part of a target, waiting while another process has it.
   *
   * @throws NetError when the folder cannot be written; the signal's reason.
   */
  static async open(target: string, signal: AbortSignal): Promise<PartFile> {
    const slash = target.lastIndexOf("/");
    const folder = target.slice(0, slash);
    const path = `${folder}/.${target.slice(slash + 1)}.part`;
    try {
      await Deno.mkdir(folder, { recursive: true });
      const part = new PartFile(path, await openLocked(path, signal));
      try {
        await part.#load(signal);
      } catch (error) {
        part.close();
        throw error;
      }
      return part;
    } catch (error) {
      signal.throwIfAborted();
      throw toNetError(error, `Cannot write ${path}`);
    }
  }

  /** Bytes that are here. */
  get length(): number {
    return this.#length;
  }

  /** Where they are from; `undefined` for none. */
  get origin(): PartOrigin | undefined {
    return this.#origin;
  }

  /** The first bytes, at most {@linkcode EXECUTABLE_HEAD_BYTES}. */
  get head(): Uint8Array {
    return this.#head;
  }

  /** Forgets all bytes: others from `origin` come. */
  async restart(origin: PartOrigin): Promise<void> {
    // In this order: a part without bytes may have any origin, one with bytes only its own.
    await this.#file.truncate(0);
    await this.#file.seek(0, Deno.SeekMode.Start);
    this.#forget();
    await Deno.writeTextFile(`${this.path}.json`, JSON.stringify(origin), { mode: MODE_PART });
    this.#origin = origin;
  }

  /** Adds bytes at the end. */
  async append(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    while (offset < bytes.length) offset += await this.#file.write(bytes.subarray(offset));
    this.#take(bytes);
  }

  /** Hashes of the whole; nothing can be added any more. */
  digest(): Digests {
    return { sha256: this.#sha256.digest().toHex(), blake3: this.#blake3.digest().toHex() };
  }

  /** Makes it the executable at `target`: on the device first, then by its name; closes it. */
  async commit(target: string): Promise<void> {
    await this.#file.sync();
    await Deno.chmod(this.path, MODE_EXECUTABLE);
    await Deno.rename(this.path, target);
    // Nobody can execute what somebody may still write.
    this.close();
    systemDisk.syncFolder(target.slice(0, target.lastIndexOf("/")));
    await removeIfThere(`${this.path}.json`);
  }

  /** Removes it. */
  async discard(): Promise<void> {
    await removeIfThere(this.path);
    await removeIfThere(`${this.path}.json`);
  }

  /** Lets go of it; another process may have it. */
  close(): void {
    if (!this.#isClosed) this.#file.close();
    this.#isClosed = true;
  }

  /** Hashes what an earlier fetch left. */
  async #load(signal: AbortSignal): Promise<void> {
    this.#origin = parseOrigin(await readTextWithin(`${this.path}.json`, ORIGIN_BYTES_MAX) ?? "");
    if (this.#origin === undefined) {
      await this.#file.truncate(0);
      return;
    }
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      signal.throwIfAborted();
      const count = await this.#file.read(buffer);
      if (count === null) return;
      this.#take(buffer.subarray(0, count));
    }
  }

  #take(bytes: Uint8Array): void {
    if (this.#head.length < EXECUTABLE_HEAD_BYTES) {
      const more = bytes.subarray(0, EXECUTABLE_HEAD_BYTES - this.#head.length);
      const head = new Uint8Array(this.#head.length + more.length);
      head.set(this.#head);
      head.set(more, this.#head.length);
      this.#head = head;
    }
    this.#length += bytes.length;
    this.#sha256.update(bytes);
    this.#blake3.update(bytes);
  }

  #forget(): void {
    this.#length = 0;
    this.#head = new Uint8Array(0);
    this.#sha256 = createSha256();
    this.#blake3 = createBlake3();
  }
}

/** What a `.part.json` says; `undefined` for what this program did not write. */
export function parseOrigin(text: string): PartOrigin | undefined {
  try {
    const { place, validator, size } = JSON.parse(text) ?? {};
    if (typeof place !== "string" || place.length > 4_096) return undefined;
    const isValidator = validator === undefined ||
      typeof validator === "string" && /^[ -~]{1,300}$/.test(validator);
    const isSize = size === undefined || Number.isSafeInteger(size) && size >= 0;
    return isValidator && isSize ? { place, validator, size } : undefined;
  } catch {
    // Half a file: the process was killed while it wrote.
    return undefined;
  }
}

/** A file as it is. */
export interface FileFacts extends Digests {
  readonly bytes: number;
  /** The first bytes, at most {@linkcode EXECUTABLE_HEAD_BYTES}. */
  readonly head: Uint8Array;
}

/**
 * The hashes of a file, its size and its beginning.
 */
export async function digestFile(path: string, signal: AbortSignal): Promise<FileFacts> {
  try {
    using file = await Deno.open(path);
    const sha256 = createSha256();
    const blake3 = createBlake3();
    const buffer = new Uint8Array(READ_BYTES);
    let bytes = 0;
    let head = new Uint8Array(0);
    for (;;) {
      signal.throwIfAborted();
      const count = await file.read(buffer);
      if (count === null) break;
      sha256.update(buffer.subarray(0, count));
      blake3.update(buffer.subarray(0, count));
      // The first read gives the head whole, unless the file is shorter.
      if (bytes === 0) head = buffer.slice(0, Math.min(count, EXECUTABLE_HEAD_BYTES));
      bytes += count;
    }
    return { sha256: sha256.digest().toHex(), blake3: blake3.digest().toHex(), bytes, head };
  } catch (error) {
    signal.throwIfAborted();
    throw toNetError(error, `Cannot read ${path}`);
  }
}

/** Opens and takes a file; whoever waited for it may find that it has been renamed, and looks again. */
async function openLocked(path: string, signal: AbortSignal): Promise<Deno.FsFile> {
  for (let tries = 0; tries < 100; tries++) {
    // Through a link the bytes would go elsewhere; a pipe would make the opening wait.
    const before = await Deno.lstat(path).catch(() => undefined);
    if (before !== undefined && !before.isFile) {
      throw new NetError("conflict", `Cannot take ${path}: it is no plain file`, {
        next: "remove it, then repeat the command",
      });
    }
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: MODE_PART });
    try {
      // To wait for a lock cannot be called off, and whoever has it may have stopped.
      while (!await file.tryLock(true)) await pause(LOCK_POLL_MS, signal);
      const { ino } = await file.stat();
      const there = await Deno.lstat(path).catch(() => undefined);
      if (there?.isFile && there.ino === ino) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
  }
  throw new NetError("conflict", `Cannot take ${path}: other processes keep renaming it`, {
    next: "end the other net fetch, then repeat the command",
  });
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
