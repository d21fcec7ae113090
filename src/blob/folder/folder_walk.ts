/**
 * Walks a real folder and finds its files, folders and links, in the order of a manifest (`dataforts.md` 14).
 *
 * Links are found, never followed. What is found is sorted by the bytes of its path without holding all paths: the
 * names of a folder are sorted with a `/` behind those of folders for their content, as `a`, `a!`, `a/…`, `a0`.
 *
 * Names that are no UTF-8 cannot be told from each other here, and are skipped, not renamed.
 */
import { setImmediate } from "node:timers";
import { isMissing, toNetError } from "../../base/mod.ts";
import { compareUtf8 } from "../directory/dir_manifest.ts";
import { PATH_BYTES_MAX } from "../limits.ts";
import {
  heldQuickReader,
  KIND_DIR,
  KIND_FILE,
  KIND_SYMLINK,
  type ListedNames,
} from "./_quick_reader.ts";
import { noFolder, notAFolder, notReadable } from "./_folder_errors.ts";

/** What a walk found; paths are relative to its folder, with `/` between names. */
export type FoundEntry =
  /** A file; how it is now is for its reader to see. */
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "dir"; readonly path: string; readonly mode: number }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string };

/** Why something in a folder is left out. */
export type SkipReason =
  /** Neither file, folder nor link: a socket, a pipe, a device. */
  | "special"
  /** Its rights do not let this user read it, or the device failed. */
  | "unreadable"
  /** Its name, or where it links to, is no UTF-8. */
  | "not_utf8"
  /** Its path is longer than others may write. */
  | "too_long"
  /** It was removed between being listed and being read. */
  | "vanished"
  /** It changed while it was read. */
  | "changed"
  /** A link that makes readers refuse the whole folder: out of it, or through another link. */
  | "unsafe_link";

/** Something that is not in the manifest. */
export interface SkippedEntry {
  readonly path: string;
  readonly reason: SkipReason;
  /** What the system said, where it did. */
  readonly cause?: unknown;
}

/** What {@linkcode walkFolder} tells its caller of what it leaves out; what this throws ends the walk. */
export type OnSkip = (skipped: SkippedEntry) => void;

/** Entries of one batch: enough that an await per batch costs nothing. */
const BATCH_ENTRIES = 256;

/** A folder whose own file is larger may have thousands of names: it is listed on another thread. */
const LONG_FOLDER_BYTES = 64 * 1024;

/** Neither file, folder nor link. */
const KIND_SPECIAL = 1;

/** Says that there is no quick way to list a folder. */
const ODD: ListedNames = { text: "", kinds: [], isOdd: true };

/** Parts of a listing, of about a thousand names, between two turns of the event loop. */
const PARTS_PER_TURN = 8;

/** Stands for bytes that are no UTF-8, also where the name has that very character. */
const REPLACEMENT = "\ufffd";

/** A folder whose entries are being gone through. */
interface Level {
  /** Path in front of its names: empty, or with a `/` at its end. */
  readonly prefix: string;
  /** Names left, last first; those for the content of a folder end with `/`. */
  readonly keys: string[];
  /** Of names that are no files; a folder that is not looked into has none. */
  readonly kinds: Map<string, "dir" | "symlink">;
  /** Which folder it is, to see that it is still the same at its end. */
  readonly identity: string;
}

/**
 * Finds everything below `root`, which is not listed itself.
 *
 * @param root Absolute path of a folder, or of a link to one.
 * @throws NetError `not_found`, `usage` when it is no folder, `not_allowed`; what `onSkip` throws.
 */
export async function* walkFolder(
  root: string,
  onSkip: OnSkip,
): AsyncGenerator<readonly FoundEntry[], void, undefined> {
  const walk = new Walk(root === "" ? root : await resolveFolder(root), onSkip);
  yield* walk.run();
}

class Walk {
  readonly #root: string;
  readonly #onSkip: OnSkip;
  readonly #levels: Level[] = [];

  constructor(root: string, onSkip: OnSkip) {
    this.#root = root;
    this.#onSkip = onSkip;
  }

  async *run(): AsyncGenerator<readonly FoundEntry[], void, undefined> {
    await this.#enter("");
    let batch: FoundEntry[] = [];
    for (;;) {
      const level = this.#levels.at(-1);
      if (level === undefined) break;
      const key = level.keys.pop();
      if (key === undefined) {
        this.#leave(level);
        continue;
      }
      if (key.endsWith("/")) {
        if (level.kinds.has(key.slice(0, -1))) await this.#enter(level.prefix + key);
        continue;
      }
      const found = this.#look(level.prefix + key, level.kinds.get(key) ?? "file");
      if (found === undefined) {
        level.kinds.delete(key);
        continue;
      }
      batch.push(found);
      if (batch.length < BATCH_ENTRIES) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  /** @param prefix Path of the folder with a `/`; empty for the root. */
  async #enter(prefix: string): Promise<void> {
    const path = `${this.#root}/${prefix.slice(0, -1)}`;
    try {
      const info = Deno.lstatSync(path);
      if (!info.isDirectory) return this.#skip(prefix.slice(0, -1), "changed");
      const names = await this.#list(path, info.size > LONG_FOLDER_BYTES);
      this.#levels.push(this.#sort(prefix, identityOf(info), names));
    } catch (error) {
      if (prefix === "") throw notReadable(path, error);
      this.#fail(prefix.slice(0, -1), error);
    }
  }

  /** @throws what the system says of a folder that cannot be listed. */
  async #list(path: string, isLong: boolean): Promise<readonly ListedNames[]> {
    const parts: ListedNames[] = [];
    for (const part of heldQuickReader()?.list(path) ?? [ODD]) {
      parts.push(part);
      if (part.isOdd) break;
      if (parts.length % PARTS_PER_TURN === 0) await nextTurn();
    }
    if (parts.at(-1)?.isOdd !== true) return parts;
    const listed = isLong ? await Array.fromAsync(Deno.readDir(path)) : [...Deno.readDirSync(path)];
    return [{
      text: listed.map(({ name }) => name).join("/"),
      kinds: listed.map(({ isFile, isDirectory, isSymlink }) =>
        isFile ? KIND_FILE : isDirectory ? KIND_DIR : isSymlink ? KIND_SYMLINK : KIND_SPECIAL
      ),
      isOdd: false,
    }];
  }

  #sort(prefix: string, identity: string, listed: readonly ListedNames[]): Level {
    const keys: string[] = [];
    const kinds: Level["kinds"] = new Map();
    const replaced = new Set<string>();
    let isPlain = true;
    for (const { text, kinds: numbers } of listed) {
      if (numbers.length === 0) continue;
      // Units from here on are not in the order of their bytes.
      isPlain &&= !/[\ud800-\uffff]/.test(text);
      const hasReplaced = text.includes(REPLACEMENT);
      for (const [i, name] of text.split("/").entries()) {
        if (hasReplaced && name.includes(REPLACEMENT)) {
          if (!this.#isReal(prefix + name, replaced.has(name))) continue;
          replaced.add(name);
        }
        const kind = numbers[i];
        if (kind === KIND_DIR) {
          kinds.set(name, "dir");
          keys.push(`${name}/`);
        } else if (kind === KIND_SYMLINK) kinds.set(name, "symlink");
        else if (kind !== KIND_FILE) {
          this.#skip(prefix + name, "special");
          continue;
        }
        keys.push(name);
      }
    }
    if (isPlain) keys.sort();
    else keys.sort(compareUtf8);
    return { prefix, keys: keys.reverse(), kinds, identity };
  }

  /** False, and told, for a name whose bytes were replaced: nothing is found under what it became. */
  #isReal(path: string, isTwin: boolean): boolean {
    try {
      if (!isTwin) {
        Deno.lstatSync(`${this.#root}/${path}`);
        return true;
      }
    } catch (error) {
      if (!isMissing(error)) {
        this.#fail(path, error);
        return false;
      }
    }
    this.#skip(path, "not_utf8");
    return false;
  }

  #look(path: string, kind: FoundEntry["kind"]): FoundEntry | undefined {
    // Three bytes a unit at most.
    if (
      path.length * 3 > PATH_BYTES_MAX && new TextEncoder().encode(path).length > PATH_BYTES_MAX
    ) {
      return this.#skip(path, "too_long");
    }
    if (kind === "file") return { kind, path };
    const absolute = `${this.#root}/${path}`;
    try {
      if (kind === "symlink") return { kind, path, target: Deno.readLinkSync(absolute) };
      const { isDirectory, mode } = Deno.lstatSync(absolute);
      if (isDirectory) return { kind, path, mode: mode ?? 0 };
      return this.#skip(path, "changed");
    } catch (error) {
      return this.#fail(path, error);
    }
  }

  /** A folder that became another one, or a link, while its names were read may have led anywhere. */
  #leave({ prefix, identity }: Level): void {
    this.#levels.pop();
    const path = prefix.slice(0, -1);
    try {
      const info = Deno.lstatSync(`${this.#root}/${path}`);
      if (identityOf(info) !== identity) this.#skip(path, "changed");
    } catch (error) {
      if (!isMissing(error)) this.#fail(path, error);
      else this.#skip(path, "changed");
    }
  }

  #fail(path: string, error: unknown): undefined {
    if (isMissing(error)) return this.#skip(path, "vanished", error);
    // What reads a link says so of a target that is no UTF-8.
    if (error instanceof Deno.errors.InvalidData) return this.#skip(path, "not_utf8", error);
    return this.#skip(path, "unreadable", error);
  }

  #skip(path: string, reason: SkipReason, cause?: unknown): undefined {
    this.#onSkip({ path, reason, cause });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}

function identityOf(info: Deno.FileInfo): string {
  return `${info.isDirectory} ${info.dev} ${info.ino}`;
}

/**
 * Where a folder really is; of what is below it links are left alone. The root of all is the empty text.
 *
 * @throws NetError `not_found`, `usage` when it is no folder, `not_allowed`.
 */
export async function resolveFolder(path: string): Promise<string> {
  try {
    const root = await Deno.realPath(path);
    if ((await Deno.stat(root)).isDirectory) return root === "/" ? "" : root;
  } catch (error) {
    if (isMissing(error)) throw noFolder(path, error);
    if (error instanceof Deno.errors.PermissionDenied) throw notReadable(path, error);
    throw toNetError(error, `Cannot put "${path}"`);
  }
  throw notAFolder(path);
}
