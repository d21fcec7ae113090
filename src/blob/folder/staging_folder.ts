/**
 * A folder that appears under its name complete or not at all (`dataforts.md` 14).
 *
 * It is built beside its place as `.NAME.fetch_<16 hex>`, a folder that only this user may enter (0700), locked by its
 * maker. What is in it was made by us with `O_EXCL`, which follows no link, and links come last: nobody else can put
 * one in our way. It gets its name by a rename; what had that name goes to `.NAME.replaced_<16 hex>` first, and
 * back when the rename fails. One whose lock is free is left from a process that was killed: the next of the same
 * name removes it, and puts back what was on its way out.
 */
import { isMissing, NetError, type RandomBytes, toHex } from "../../base/mod.ts";
import { syncFolder } from "../file_chunk_store.ts";
import { NAME_BYTES_MAX } from "../limits.ts";
import { folderExists, notAPlace, toPlaceError } from "./_folder_errors.ts";

const RANDOM_BYTES = 8;
const TRIES = 8;
const FETCH = ".fetch_";
const REPLACED = ".replaced_";
/** A dot in front, what is put behind, and 16 digits. */
const BASE_BYTES_MAX = NAME_BYTES_MAX - 1 - REPLACED.length - 2 * RANDOM_BYTES;

/** Entries of a folder looked through for what was left behind. */
const ENTRIES_MAX = 100_000;

/** Options of {@linkcode openStagingFolder}. */
export interface OpenStagingFolderOptions {
  /** Replaces a folder of that name; otherwise one that is not empty is an error. */
  readonly overwrite: boolean;
  readonly random: RandomBytes;
}

/** A folder in the making. */
export interface StagingFolder {
  /** Where it is built, absolute as the place is. */
  readonly path: string;
  /** Gives it its name, durably; what is in it must be on the device already. */
  install(): Promise<void>;
  /** Removes what was built, unless it was installed; idempotent. */
  discard(): Promise<void>;
}

/**
 * Begins the folder `output`.
 *
 * @param output Absolute path; the folder it is to be in exists.
 * @throws NetError `conflict` when there is one that is not empty, `usage` for a place no folder can be,
 * `not_allowed`, `no_space`.
 */
export async function openStagingFolder(
  output: string,
  options: OpenStagingFolderOptions,
): Promise<StagingFolder> {
  const place = output.replace(/\/+$/, "");
  const slash = place.lastIndexOf("/");
  const folder = place.slice(0, slash) || "/";
  const base = place.slice(slash + 1);
  if (base === "" || base === "." || base === "..") throw notAPlace(output, "it is no name");
  if (new TextEncoder().encode(base).length > BASE_BYTES_MAX) {
    throw notAPlace(output, `its name is longer than ${BASE_BYTES_MAX} bytes`);
  }
  try {
    await cleanUp(folder, base);
    await checkPlace(place, options.overwrite);
    return await createStaging(place, folder, base, options);
  } catch (error) {
    throw toPlaceError(error, output);
  }
}

async function createStaging(
  place: string,
  folder: string,
  base: string,
  options: OpenStagingFolderOptions,
): Promise<StagingFolder> {
  for (let tries = 0; tries < TRIES; tries++) {
    const path = `${folder}/.${base}${FETCH}${toHex(options.random(RANDOM_BYTES))}`;
    try {
      await Deno.mkdir(path, { mode: 0o700 });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) continue;
      throw error;
    }
    const lock = await lockFolder(path);
    if (lock !== undefined) {
      return new LockedFolder({ place, folder, base, path, lock, ...options });
    }
  }
  throw new NetError("conflict", `Cannot write "${place}": no free name beside it`, {
    next: "try again",
  });
}

class LockedFolder implements StagingFolder {
  readonly path: string;
  readonly #place: string;
  readonly #folder: string;
  readonly #base: string;
  readonly #lock: Deno.FsFile;
  readonly #options: OpenStagingFolderOptions;
  #isEnded = false;

  constructor(
    parts: OpenStagingFolderOptions & {
      readonly place: string;
      readonly folder: string;
      readonly base: string;
      readonly path: string;
      readonly lock: Deno.FsFile;
    },
  ) {
    this.path = parts.path;
    this.#place = parts.place;
    this.#folder = parts.folder;
    this.#base = parts.base;
    this.#lock = parts.lock;
    this.#options = parts;
  }

  async install(): Promise<void> {
    let old: string | undefined;
    try {
      // As private as the user's other new folders; until now nobody else could look.
      await Deno.chmod(this.path, 0o777 & ~Deno.umask());
      await this.#lock.sync();
      if (await checkPlace(this.#place, this.#options.overwrite) === "full") {
        old = await this.#moveAside();
      }
      await this.#moveIn(old);
      this.#isEnded = true;
      this.#lock.close();
      await syncFolder(this.#folder);
    } catch (error) {
      throw toPlaceError(error, this.#place);
    }
    if (old !== undefined) await this.#remove(old);
  }

  async discard(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    try {
      await removeFolder(this.path);
    } finally {
      this.#lock.close();
    }
  }

  async #moveAside(): Promise<string> {
    const old = this.#name(REPLACED);
    await Deno.rename(this.#place, old);
    return old;
  }

  async #moveIn(old: string | undefined): Promise<void> {
    try {
      await Deno.rename(this.path, this.#place);
    } catch (error) {
      // What came in its place meanwhile is somebody else's, and not replaced.
      if (old !== undefined) await Deno.rename(old, this.#place);
      throw error;
    }
  }

  /** Under a name that the next one of this place removes, should we not get to the end. */
  async #remove(old: string): Promise<void> {
    const dead = this.#name(FETCH);
    try {
      await Deno.rename(old, dead);
      await removeFolder(dead);
    } catch (error) {
      throw new NetError(
        "failed",
        `Cannot remove what was in "${this.#place}" before: ${String(error)}`,
        { cause: error, next: `the new folder is there; remove ${old} or ${dead} yourself` },
      );
    }
  }

  #name(kind: string): string {
    return `${this.#folder}/.${this.#base}${kind}${toHex(this.#options.random(RANDOM_BYTES))}`;
  }
}

/** Takes what was just made; `undefined` when a cleaner took it for a dead one before. */
async function lockFolder(path: string): Promise<Deno.FsFile | undefined> {
  const file = await Deno.open(path);
  try {
    if (await file.tryLock(true) && (await file.stat()).nlink !== 0 && await isThere(path)) {
      return file;
    }
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return undefined;
}

/** Removes what killed processes left of this place, and puts back what one of them had moved out of it. */
async function cleanUp(folder: string, base: string): Promise<void> {
  const replaced: string[] = [];
  let seen = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (++seen > ENTRIES_MAX) break;
    if (!isDirectory) continue;
    if (isOurs(name, base, REPLACED)) replaced.push(`${folder}/${name}`);
    if (!isOurs(name, base, FETCH)) continue;
    const path = `${folder}/${name}`;
    try {
      using file = await Deno.open(path);
      if (await file.tryLock(true)) await removeFolder(path);
    } catch {
      // Somebody else's, or gone meanwhile: not ours to clean.
    }
  }
  const [old] = replaced;
  // It was killed between its two renames.
  if (old !== undefined && replaced.length === 1 && !await isThere(`${folder}/${base}`)) {
    await Deno.rename(old, `${folder}/${base}`);
  }
}

function isOurs(name: string, base: string, kind: string): boolean {
  const prefix = `.${base}${kind}`;
  return name.startsWith(prefix) && /^[0-9a-f]{16}$/.test(name.slice(prefix.length));
}

/** What is at the place: nothing, an empty folder, or a full one that may be replaced. */
async function checkPlace(path: string, mayReplace: boolean): Promise<"free" | "empty" | "full"> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "free";
    throw error;
  }
  if (!info.isDirectory) throw notAPlace(path, "it is there and no folder");
  for await (const _ of Deno.readDir(path)) {
    if (mayReplace) return "full";
    throw folderExists(path);
  }
  return "empty";
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function removeFolder(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
