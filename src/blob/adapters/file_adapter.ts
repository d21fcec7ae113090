/**
 * Blobs of one piece as files of a folder, `ab/abcdef…`, in the layout of the reference (`dataforts.md` 8):
 * both programs may use the same folder one after the other.
 *
 * A file appears under its name when its bytes are on the disk. What leads out of the folder by a symbolic link
 * is refused, and a folder in the place of a blob counts as none.
 */
import { type Clock, equalBytes, isMissing, toHex } from "../../base/mod.ts";
import { blake3, createBlake3 } from "../../core/crypto/mod.ts";
import type { BlobRef, SmallRef } from "../blob_ref.ts";
import { syncFolder } from "../file_chunk_store.ts";
import { CallGate } from "./_call_gate.ts";
import {
  type AdapterCallOptions,
  type BlobAdapter,
  BlobAdapterError,
  blobHashMismatch,
  blobNotFound,
  requireRange,
  requireSmall,
} from "./adapter.ts";

/** Calls at work at once; others wait. Each has one file open. */
export const FILE_CALLS_MAX = 64;

/** Calls that wait for their turn; each may hold the bytes that it is to store. */
export const FILE_CALLS_WAITING_MAX = 4_096;

/** Most of a blob that is given at once; larger ones are read in ranges. */
export const FILE_FETCH_BYTES_MAX = 1024 ** 3;

const PIECE_BYTES = 256 * 1024;

/** Age of a temporary file that no call writes any more: the longest blob takes minutes. */
export const FILE_LEFT_MS = 3_600_000;

/** Names of files that are being written, or were when their process ended. */
const TEMPORARY = /^[0-9a-f]{64}\.[0-9]+-[0-9]+-[0-9]+\.tmp$/;

/** Options of {@linkcode openFileAdapter}. */
export interface FileAdapterOptions {
  readonly id: string;
  /** Folder of the blobs; made when it is not there. */
  readonly folder: string;
  /** For the names of files that are being written. */
  readonly clock: Clock;
}

/** @throws BlobAdapterError `backend` when the folder cannot be used. */
export async function openFileAdapter(options: FileAdapterOptions): Promise<BlobAdapter> {
  const { folder } = options;
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    return new FileAdapter(options, await Deno.realPath(folder));
  } catch (error) {
    throw toAdapterError(error, `Cannot use folder "${folder}"`);
  }
}

class FileAdapter implements BlobAdapter {
  readonly schemes = ["file"];
  readonly id: string;
  readonly #root: string;
  readonly #clock: Clock;
  #temporary = 0;
  readonly #gate = new CallGate({
    activeMax: FILE_CALLS_MAX,
    waitingMax: FILE_CALLS_WAITING_MAX,
  });

  constructor({ id, clock }: FileAdapterOptions, root: string) {
    this.id = id;
    this.#clock = clock;
    this.#root = root;
  }

  store(ref: BlobRef, bytes: Uint8Array): Promise<void> {
    return this.#call("Cannot store blob", async () => {
      const { hash } = requireSmall(ref, "files");
      const actual = blake3(bytes);
      if (!equalBytes(actual, hash)) throw blobHashMismatch(hash, actual);
      const key = toHex(hash);
      const folder = `${this.#root}/${key.slice(0, 2)}`;
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      await this.#requireInside(folder);
      if (await hasContent(`${folder}/${key}`, hash)) return;
      await this.#write(folder, key, bytes, hash);
    });
  }

  fetch(ref: BlobRef): Promise<Uint8Array<ArrayBuffer>> {
    return this.#call("Cannot fetch blob", async () => {
      const small = requireSmall(ref, "files");
      const size = await this.#sizeOf(small);
      return await this.#read(small, 0, size, size);
    });
  }

  fetchRange(ref: BlobRef, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#call("Cannot read blob", async () => {
      const small = requireSmall(ref, "files");
      requireRange(start, end);
      if (start === end) return new Uint8Array(0);
      const size = await this.#sizeOf(small);
      requireRange(start, end, size);
      return await this.#read(small, start, end, size);
    });
  }

  exists(ref: BlobRef): Promise<boolean> {
    return this.#call("Cannot look for blob", async () => {
      try {
        await this.#sizeOf(requireSmall(ref, "files"));
        return true;
      } catch (error) {
        if (error instanceof BlobAdapterError && error.kind === "not_found") return false;
        throw error;
      }
    });
  }

  delete(ref: BlobRef): Promise<void> {
    return this.#call("Cannot delete blob", async () => {
      const key = toHex(requireSmall(ref, "files").hash);
      const folder = `${this.#root}/${key.slice(0, 2)}`;
      try {
        await this.#requireInside(folder);
        await Deno.remove(`${folder}/${key}`);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  /** Removes temporary files of calls that never ended; what others are writing now stays. */
  async sweep({ signal }: AdapterCallOptions = {}): Promise<number> {
    let removed = 0;
    for await (const { name: folder, isDirectory } of Deno.readDir(this.#root)) {
      if (!isDirectory || !/^[0-9a-f]{2}$/.test(folder)) continue;
      for await (const { name, isFile } of Deno.readDir(`${this.#root}/${folder}`)) {
        signal?.throwIfAborted();
        if (!isFile || !TEMPORARY.test(name)) continue;
        removed += await this.#removeLeft(`${this.#root}/${folder}/${name}`) ? 1 : 0;
      }
    }
    return removed;
  }

  async #removeLeft(path: string): Promise<boolean> {
    try {
      const { mtime } = await Deno.lstat(path);
      if (mtime === null || this.#clock.wallMs() - mtime.getTime() < FILE_LEFT_MS) return false;
      await Deno.remove(path);
      return true;
    } catch (error) {
      // Its writer was there after all.
      if (isMissing(error)) return false;
      throw toAdapterError(error, "Cannot sweep temporary files");
    }
  }

  #pathOf({ hash }: SmallRef): string {
    const key = toHex(hash);
    return `${this.#root}/${key.slice(0, 2)}/${key}`;
  }

  async #sizeOf(ref: SmallRef): Promise<number> {
    const path = this.#pathOf(ref);
    try {
      await this.#requireInside(path);
      const info = await Deno.stat(path);
      if (info.isFile) return info.size;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    throw blobNotFound(ref);
  }

  /** The range of a file, all of which is hashed on the way: a part proves nothing about itself. */
  async #read(
    ref: SmallRef,
    start: number,
    end: number,
    size: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (end - start > FILE_FETCH_BYTES_MAX) {
      throw new BlobAdapterError(
        "limit",
        `Cannot read ${end - start} bytes at once: at most ${FILE_FETCH_BYTES_MAX} are given`,
        { next: "read it in smaller ranges" },
      );
    }
    const taken = new Uint8Array(end - start);
    const piece = new Uint8Array(PIECE_BYTES);
    const hasher = createBlake3();
    using file = await Deno.open(this.#pathOf(ref));
    let at = 0;
    for (;;) {
      const count = await file.read(piece);
      // A file that grows meanwhile has another hash anyway.
      if (count === null || at > size) break;
      const bytes = piece.subarray(0, count);
      hasher.update(bytes);
      const [from, to] = [Math.max(start - at, 0), Math.min(end - at, count)];
      if (from < to) taken.set(bytes.subarray(from, to), at + from - start);
      at += count;
    }
    const actual = hasher.digest();
    if (!equalBytes(actual, ref.hash)) throw blobHashMismatch(ref.hash, actual);
    return taken;
  }

  async #write(folder: string, key: string, bytes: Uint8Array, hash: Uint8Array): Promise<void> {
    const nanos = BigInt(Math.trunc(this.#clock.wallMs())) * 1_000_000n;
    const temporary = `${folder}/${key}.${Deno.pid}-${this.#temporary++}-${nanos}.tmp`;
    try {
      using file = await Deno.open(temporary, { createNew: true, write: true, mode: 0o600 });
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
      await Deno.rename(temporary, `${folder}/${key}`);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {}); // The first error is the one to tell.
      // Another process may have been quicker.
      if (!await hasContent(`${folder}/${key}`, hash).catch(() => false)) throw error;
    }
    await syncFolder(folder);
    await syncFolder(this.#root);
  }

  /** @throws BlobAdapterError `backend` when a link leads out of the folder. */
  async #requireInside(path: string): Promise<void> {
    const real = await Deno.realPath(path);
    if (real.startsWith(`${this.#root}/`)) return;
    throw new BlobAdapterError("backend", `Cannot use "${path}": it leads out of the folder`, {
      next: "remove the symbolic link",
    });
  }

  async #call<T>(action: string, work: () => Promise<T>): Promise<T> {
    return await this.#gate.run(action, async () => {
      try {
        return await work();
      } catch (error) {
        throw toAdapterError(error, action);
      }
    });
  }
}

/** True when there is a file with this hash. */
async function hasContent(path: string, hash: Uint8Array): Promise<boolean> {
  try {
    const hasher = createBlake3();
    using file = await Deno.open(path);
    const piece = new Uint8Array(PIECE_BYTES);
    for (;;) {
      const count = await file.read(piece);
      if (count === null) return equalBytes(hasher.digest(), hash);
      hasher.update(piece.subarray(0, count));
    }
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function toAdapterError(error: unknown, action: string): BlobAdapterError {
  if (error instanceof BlobAdapterError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new BlobAdapterError("backend", `${action}: ${message}`, { cause: error });
}
