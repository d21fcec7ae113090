/**
 * Manifests of directories (`dataforts.md` 14): every file, folder and link below one folder, with the
 * references to the files' content.
 *
 * Only the form is checked here. Whether a path is safe to write to is the matter of
 * {@linkcode planExtraction}.
 */
import { type PostcardFailure, PostcardReader, PostcardWriter } from "../../base/mod.ts";
import { DIR_ENTRIES_MAX, DIR_MANIFEST_BYTES_MAX } from "../limits.ts";

/** One entry; paths are relative, with `/` between names. */
export type DirEntry =
  | {
    readonly kind: "file";
    readonly path: string;
    /** As the file system has it, with the bits of the type; 0 where there are none. */
    readonly mode: number;
    /** Encoded reference to the content. */
    readonly blob: Uint8Array;
  }
  | { readonly kind: "dir"; readonly path: string; readonly mode: number }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string };

/** Why bytes are no manifest. */
export type DirManifestFault =
  | PostcardFailure
  | "manifest_over_256MiB"
  | "too_many_entries"
  | "unsupported_version";

/** What decoding gives. */
export type DecodedDirManifest =
  | { readonly ok: true; readonly entries: readonly DirEntry[] }
  | {
    readonly ok: false;
    readonly fault: DirManifestFault;
    /** The version of an `unsupported_version`. */
    readonly version?: number;
  };

const VERSION = 1;
/** Length of the path, kind, and one field of at least a byte. */
const ENTRY_BYTES_MIN = 3;
/** Entries of one step. */
const STEP_ENTRIES = 256;
const FILE = 0;
const DIR = 1;

/**
 * Decodes a manifest at once. References are copied.
 *
 * @example
 * ```ts
 * import { decodeDirManifest, encodeDirManifest } from "./dir_manifest.ts";
 * const bytes = encodeDirManifest([{ kind: "symlink", path: "a", target: "b" }]);
 * const decoded = decodeDirManifest(bytes);
 * console.assert(decoded.ok && decoded.entries[0]?.path === "a");
 * ```
 */
export function decodeDirManifest(bytes: Uint8Array): DecodedDirManifest {
  const decoded = runSteps(decodeDirManifestSteps(bytes));
  if (!decoded.ok) return decoded;
  const entries = decoded.entries.map((entry) =>
    entry.kind === "file" ? { ...entry, blob: entry.blob.slice() } : entry
  );
  return { ok: true, entries };
}

/**
 * The same for manifests of a million entries: a step takes less than a millisecond. References are views of `bytes`.
 */
export function* decodeDirManifestSteps(
  bytes: Uint8Array,
): Generator<void, DecodedDirManifest, void> {
  if (bytes.length > DIR_MANIFEST_BYTES_MAX) return { ok: false, fault: "manifest_over_256MiB" };
  const reader = new PostcardReader(bytes);
  const version = reader.u8();
  const count = reader.count(ENTRY_BYTES_MIN);
  if (count > DIR_ENTRIES_MAX) return { ok: false, fault: "too_many_entries" };
  const entries: DirEntry[] = [];
  while (entries.length < count && reader.failure === undefined) {
    entries.push(readDirEntry(reader));
    if (entries.length % STEP_ENTRIES === 0) yield;
  }
  if (reader.failure !== undefined) return { ok: false, fault: reader.failure };
  if (version !== VERSION) return { ok: false, fault: "unsupported_version", version };
  return { ok: true, entries };
}

/** The entries of a manifest, one by one as they are asked for; nobody holds all of them. References are views. */
export class DirEntries implements Iterable<DirEntry> {
  readonly #reader: PostcardReader;
  #left = 0;
  #fault: DirManifestFault | undefined;

  constructor(bytes: Uint8Array) {
    this.#reader = new PostcardReader(bytes);
    const head = readDirManifestHead(bytes, this.#reader);
    if ("fault" in head) this.#fault = head.fault;
    else this.#left = head.count;
  }

  /** Why it is no manifest, as far as it was read. */
  get fault(): DirManifestFault | undefined {
    return this.#fault ?? this.#reader.failure;
  }

  /** Goes on behind the last entry that was given. */
  *[Symbol.iterator](): Generator<DirEntry> {
    while (this.#left > 0 && this.fault === undefined) {
      const entry = readDirEntry(this.#reader);
      this.#left -= 1;
      if (this.fault === undefined) yield entry;
    }
  }

  /** Reads on to the end for {@linkcode DirEntries.fault}; in steps of less than a millisecond. */
  *finish(): Generator<void> {
    for (; this.#left > 0 && this.fault === undefined; this.#left--) {
      readDirEntry(this.#reader);
      if (this.#left % STEP_ENTRIES === 0) yield;
    }
  }
}

/** Reads what is in front of the entries; how many there are, or why it is no manifest. */
export function readDirManifestHead(
  bytes: Uint8Array,
  reader: PostcardReader,
): { readonly count: number } | { readonly fault: DirManifestFault } {
  if (bytes.length > DIR_MANIFEST_BYTES_MAX) return { fault: "manifest_over_256MiB" };
  const version = reader.u8();
  const count = reader.count(ENTRY_BYTES_MIN);
  if (count > DIR_ENTRIES_MAX) return { fault: "too_many_entries" };
  if (reader.failure !== undefined) return { fault: reader.failure };
  return version === VERSION ? { count } : { fault: "unsupported_version" };
}

/** Runs steps to their end at once. */
export function runSteps<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * Encodes a manifest; entries are sorted, so that the same folder always gives the same bytes.
 *
 * @throws RangeError when there are too many entries, or a mode is not an unsigned 32-bit integer.
 */
export function encodeDirManifest(entries: readonly DirEntry[]): Uint8Array<ArrayBuffer> {
  if (entries.length > DIR_ENTRIES_MAX) {
    throw new RangeError(
      `Cannot encode manifest: it has ${entries.length} entries, must be at most ${DIR_ENTRIES_MAX}`,
    );
  }
  const sorted = entries.toSorted((a, b) => compareUtf8(a.path, b.path));
  const writer = new PostcardWriter(64 + 128 * entries.length);
  writer.u8(VERSION).list(sorted, (entry) => writeEntry(writer, entry));
  return writer.finish();
}

/** Orders texts by the bytes of their UTF-8, which is the order of their code points. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [unit, other] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (unit !== other) return utf8Rank(unit) - utf8Rank(other);
  }
  return a.length - b.length;
}

/** Halves of code points above 0xffff come behind all others. */
function utf8Rank(unit: number): number {
  const isSurrogate = unit >= 0xd800 && unit <= 0xdfff;
  return isSurrogate ? unit + 0x1_0000 : unit;
}

/** Reads one entry; its reference is a view. A failure is in the reader, and the entry is nothing then. */
export function readDirEntry(reader: PostcardReader): DirEntry {
  const path = reader.text();
  const kind = reader.variant(3);
  if (kind === FILE) {
    return { kind: "file", path, mode: reader.u32(), blob: reader.byteVector() };
  }
  if (kind === DIR) return { kind: "dir", path, mode: reader.u32() };
  return { kind: "symlink", path, target: reader.text() };
}

function writeEntry(writer: PostcardWriter, entry: DirEntry): void {
  writer.text(entry.path);
  if (entry.kind === "symlink") {
    writer.u8(2).text(entry.target);
    return;
  }
  const { mode } = entry;
  if (mode !== mode >>> 0) throw new RangeError(`Cannot encode mode ${mode}: must be 32 bits`);
  if (entry.kind === "dir") writer.u8(DIR).varint(mode);
  else writer.u8(FILE).varint(mode).byteVector(entry.blob);
}
