/**
 * Puts a real folder as one blob: the chunks of its files, and a manifest that lists them (`dataforts.md` 14).
 *
 * Small files are read in slices of a few milliseconds and their chunks kept together; larger ones are cut as any
 * other blob. All of it becomes visible, and durable, with the one record of the manifest.
 */
import { type Clock, type ErrorCode, NetError, toNetError } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { BlobDraft, StoredBlob } from "../blob_draft.ts";
import type { ChunkRef } from "../blob_ref.ts";
import type { BlobStore } from "../blob_store.ts";
import { bytesByteSource } from "../byte_source.ts";
import { chunkFixed, refOfChunks } from "../chunker.ts";
import { decodeDirManifest, type DirEntry, encodeDirManifest } from "../directory/dir_manifest.ts";
import { findUnsafeLinks, type PlannedLink } from "../directory/extraction_plan.ts";
import { DIR_MANIFEST_BYTES_MAX } from "../limits.ts";
import { createProgressGate, type OnBlobProgress } from "../progress.ts";
import { type FileState, openFileSource, readWholeFile, stateOfFile } from "./_file_reader.ts";
import { Turns } from "./_turns.ts";
import { type FoundEntry, type SkippedEntry, type SkipReason, walkFolder } from "./folder_walk.ts";
import { ManifestBuilder } from "./manifest_builder.ts";

/** What {@linkcode putFolder} needs. */
export interface PutFolderDeps {
  readonly store: BlobStore;
  readonly clock: Clock;
}

/** Options of {@linkcode putFolder}. */
export interface PutFolderOptions {
  readonly label?: string;
  /** Leaves out what cannot be stored, and says so, instead of giving up. */
  readonly skipUnreadable?: boolean;
  readonly onProgress?: OnBlobProgress;
  readonly signal?: AbortSignal;
}

/** A folder that was put. */
export interface StoredFolder {
  /** The manifest. */
  readonly stored: StoredBlob;
  readonly files: number;
  readonly dirs: number;
  readonly symlinks: number;
  /** Bytes of all files. */
  readonly bytes: number;
  /** What was left out, up to {@linkcode SKIPPED_LISTED_MAX}. */
  readonly skipped: readonly SkippedEntry[];
  readonly skippedCount: number;
}

/** What was left out is counted, and so much of it named. */
export const SKIPPED_LISTED_MAX = 1_000;

/** Files up to here are read at once, and their chunks are kept together; others in pieces. */
const SMALL_FILE_BYTES_MAX = 256 * 1024;

/** Small files are gathered in one of two buffers while the chunks in the other are stored. */
const BUFFER_BYTES = 1024 * 1024;

/** Chunks of one buffer: empty files take no room in it. */
const WRITES_MAX = 1_024;

/** How often a file that changes while it is read is read again. */
const READS_MAX = 3;

/** These say only that something is not, or no longer, a part of the folder: no reason to give up. */
const HARMLESS: readonly SkipReason[] = ["special", "vanished"];

/**
 * Stores everything below a folder; when the promise resolves it survives a loss of power.
 *
 * @param path Absolute path of the folder; a link to one is followed, links below it never are.
 * @throws NetError `not_found`, `usage`, `not_allowed`, `conflict` when a file keeps changing, `no_space`, `limit`;
 * the signal's reason. Then nothing of it is listed.
 */
export async function putFolder(
  deps: PutFolderDeps,
  path: string,
  options: PutFolderOptions = {},
): Promise<StoredFolder> {
  const { store } = deps;
  const { label, signal } = options;
  const draft = store.begin({ label });
  try {
    return await new FolderPut(deps, draft, path, options).run();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw toNetError(error, `Cannot put "${path}"`);
  } finally {
    await draft.abort();
  }
}

class FolderPut {
  readonly #draft: BlobDraft;
  readonly #root: string;
  readonly #options: PutFolderOptions;
  readonly #manifest = new ManifestBuilder();
  readonly #chunks: ChunkRef[] = [];
  readonly #links: PlannedLink[] = [];
  readonly #skipped: SkippedEntry[] = [];
  readonly #turns: Turns;
  readonly #report: (isEnd: boolean) => void;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #otherBuffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;
  /** Chunks of the buffer in use, and of the other one, that are being stored. */
  #writes: Promise<unknown>[] = [];
  #otherWrites: Promise<unknown> = Promise.resolve();
  #skippedCount = 0;
  #files = 0;
  #dirs = 0;
  #bytes = 0;

  constructor(deps: PutFolderDeps, draft: BlobDraft, root: string, options: PutFolderOptions) {
    this.#draft = draft;
    this.#root = root;
    this.#options = options;
    this.#turns = new Turns(options.signal);
    const gate = createProgressGate(deps.clock, options.onProgress);
    this.#report = (isEnd) => {
      const progress = {
        stage: "store",
        doneBytes: this.#bytes,
        totalBytes: isEnd ? this.#bytes : undefined,
        doneFiles: this.#files,
      };
      if (isEnd) gate.finish(progress);
      else gate.update(progress);
    };
  }

  async run(): Promise<StoredFolder> {
    try {
      for await (const batch of walkFolder(this.#root, (skipped) => this.#skip(skipped))) {
        for (const entry of batch) {
          if (entry.kind === "file") await this.#addFile(entry.path);
          else this.#add(entry);
          if (this.#turns.isOver) await this.#turns.next();
        }
        this.#report(false);
      }
    } finally {
      // The buffers are in use until then, whatever happened.
      await Promise.allSettled([this.#otherWrites, ...this.#writes]);
    }
    await Promise.all([this.#otherWrites, ...this.#writes]);
    const stored = await this.#commit();
    this.#report(true);
    return {
      stored,
      files: this.#files,
      dirs: this.#dirs,
      symlinks: this.#links.length,
      bytes: this.#bytes,
      skipped: this.#skipped,
      skippedCount: this.#skippedCount,
    };
  }

  #add(entry: Exclude<FoundEntry, { readonly kind: "file" }>): void {
    if (entry.kind === "dir") {
      this.#manifest.addDir(entry.path, entry.mode);
      this.#dirs += 1;
      return;
    }
    this.#manifest.addSymlink(entry.path, entry.target);
    this.#links.push(entry);
  }

  async #addFile(path: string): Promise<void> {
    const absolute = `${this.#root}/${path}`;
    for (let reads = 0; reads < READS_MAX; reads++) {
      try {
        const state = stateOfFile(absolute);
        if (state === undefined) break;
        const isRead = state.size <= SMALL_FILE_BYTES_MAX
          ? await this.#addSmallFile(path, absolute, state)
          : await this.#addLargeFile(path, absolute, state);
        if (!isRead) continue;
        this.#files += 1;
        this.#bytes += state.size;
        return;
      } catch (error) {
        const reason = reasonOf(error);
        if (reason === undefined) throw error;
        return this.#skip({ path, reason, cause: error });
      }
    }
    this.#skip({ path, reason: "changed" });
  }

  /** False when the file changed meanwhile. */
  async #addSmallFile(path: string, absolute: string, state: FileState): Promise<boolean> {
    // One byte more shows that it grew.
    const isFull = this.#used + state.size + 1 > this.#buffer.length;
    if (isFull || this.#writes.length >= WRITES_MAX) await this.#swapBuffers();
    const place = this.#buffer.subarray(this.#used, this.#used + state.size + 1);
    const length = readWholeFile(absolute, place);
    if (length !== state.size || stateOfFile(absolute)?.mark !== state.mark) return false;
    this.#used += length;
    const bytes = place.subarray(0, length);
    const hash = blake3(bytes);
    const write = this.#draft.putChunk(hash, bytes, { isPacked: true });
    // It is waited for later, when others may have failed before it.
    write.catch(() => {});
    this.#writes.push(write);
    this.#chunks.push({ hash, size: length });
    this.#manifest.addSmallFile(path, state.mode, hash, length);
    return true;
  }

  /** False when the file changed meanwhile; its chunks stay until the draft ends. */
  async #addLargeFile(path: string, absolute: string, state: FileState): Promise<boolean> {
    const file = await openFileSource(absolute);
    try {
      const before = this.#bytes;
      const chunked = await chunkFixed(file, {
        onChunk: async ({ hash, bytes }) => void await this.#draft.putChunk(hash, bytes),
        onBytes: (doneBytes) => {
          this.#bytes = before + doneBytes;
          this.#report(false);
        },
        signal: this.#options.signal,
      }).finally(() => this.#bytes = before);
      if (chunked.size !== state.size || stateOfFile(absolute)?.mark !== state.mark) return false;
      this.#chunks.push(...chunked.chunks);
      this.#manifest.addFile(path, state.mode, refOfChunks(chunked));
      return true;
    } finally {
      file.close();
    }
  }

  async #swapBuffers(): Promise<void> {
    const writes = Promise.all(this.#writes);
    writes.catch(() => {}); // Seen when it is waited for.
    const other = this.#otherWrites;
    this.#otherWrites = writes;
    this.#writes = [];
    await other;
    [this.#buffer, this.#otherBuffer] = [this.#otherBuffer, this.#buffer];
    this.#used = 0;
  }

  async #commit(): Promise<StoredBlob> {
    const bytes = this.#withoutUnsafeLinks(this.#manifest.finish());
    if (bytes.length > DIR_MANIFEST_BYTES_MAX) {
      throw new NetError("limit", `Cannot put "${this.#root}": its manifest is too long`, {
        next: "put its folders one by one, or pack it: tar c FOLDER | net blob put -",
      });
    }
    const { signal } = this.#options;
    const chunked = await chunkFixed(bytesByteSource(bytes), {
      onChunk: async ({ hash, bytes }) => void await this.#draft.putChunk(hash, bytes),
      signal,
    });
    signal?.throwIfAborted();
    this.#chunks.push(...chunked.chunks);
    return await this.#draft.commit({
      address: chunked.wholeHash,
      ref: refOfChunks(chunked),
      size: chunked.size,
      chunks: this.#chunks,
      kind: "directory",
    });
  }

  /** The manifest without links that would make every reader refuse all of it. */
  #withoutUnsafeLinks(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const unsafe = findUnsafeLinks(this.#links);
    if (unsafe.length === 0) return bytes;
    for (const { path } of unsafe) this.#skip({ path, reason: "unsafe_link" });
    const paths = new Set(unsafe.map(({ path }) => path));
    const decoded = decodeDirManifest(bytes);
    if (!decoded.ok) throw new NetError("internal", `Cannot read manifest: ${decoded.fault}`);
    const isKept = (entry: DirEntry) => entry.kind !== "symlink" || !paths.has(entry.path);
    this.#links.splice(
      0,
      this.#links.length,
      ...this.#links.filter(({ path }) => !paths.has(path)),
    );
    return encodeDirManifest(decoded.entries.filter(isKept));
  }

  #skip(skipped: SkippedEntry): void {
    const { path, reason } = skipped;
    if (!this.#options.skipUnreadable && !HARMLESS.includes(reason)) {
      throw cannotStore(`${this.#root}/${path}`, skipped);
    }
    this.#skippedCount += 1;
    if (this.#skipped.length < SKIPPED_LISTED_MAX) this.#skipped.push(skipped);
  }
}

/** Why a file cannot be read; `undefined` when it is not the file. */
function reasonOf(error: unknown): SkipReason | undefined {
  if (!(error instanceof Error) || error instanceof NetError) return undefined;
  const code = String((error as { code?: unknown }).code ?? "");
  if (code === "ENOENT" || code === "ENOTDIR" || error instanceof Deno.errors.NotFound) {
    return "vanished";
  }
  if (code === "ELOOP" || error instanceof Deno.errors.FilesystemLoop) return "changed";
  const isDenied = error instanceof Deno.errors.PermissionDenied ||
    ["EACCES", "EPERM", "EIO", "ENXIO", "ENAMETOOLONG", "ESTALE"].includes(code);
  return isDenied ? "unreadable" : undefined;
}

const REFUSALS: Readonly<Record<SkipReason, readonly [ErrorCode, string]>> = {
  unreadable: ["not_allowed", "it cannot be read"],
  not_utf8: ["usage", "its name, or where it links to, is not UTF-8"],
  too_long: ["usage", "its path is too long"],
  changed: ["conflict", "it changed while it was read"],
  unsafe_link: [
    "usage",
    "it leads out of the folder, or through another link, and nobody would take it",
  ],
  special: ["usage", "it is no file"],
  vanished: ["conflict", "it vanished"],
};

function cannotStore(path: string, { reason, cause }: SkippedEntry): NetError {
  const [code, what] = REFUSALS[reason];
  return new NetError(code, `Cannot put "${path}": ${what}`, {
    cause,
    next: "mend it, or leave such entries out with --skip-unreadable",
  });
}
