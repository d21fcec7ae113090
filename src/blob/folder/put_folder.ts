/**
 * Puts a real folder as one blob: the chunks of its files, and a manifest that lists them (`dataforts.md` 14).
 *
 * Small files are read in slices of a few milliseconds and their chunks kept together; larger ones are cut as any
 * other blob. All of it becomes visible, and durable, with the one record of the manifest.
 */
import { type Clock, concatBytes, NetError, toNetError } from "../../base/mod.ts";
import type { BlobDraft, StoredBlob } from "../blob_draft.ts";
import { ChunkList } from "../_chunk_list.ts";
import type { BlobStore } from "../blob_store.ts";
import { bytesByteSource } from "../byte_source.ts";
import type { SmallChunks } from "../chunk_store.ts";
import { chunkFixed, refOfChunks } from "../chunker.ts";
import { decodeDirManifest, type DirEntry, encodeDirManifest } from "../directory/dir_manifest.ts";
import { findUnsafeLinks, type PlannedLink } from "../directory/extraction_plan.ts";
import { DIR_MANIFEST_BYTES_MAX, HASH_BYTES } from "../limits.ts";
import { createProgressGate, type OnBlobProgress } from "../progress.ts";
import { inlineWork, type WorkPool } from "../work/mod.ts";
import { type FileState, isSameState, openFileSource, stateOfFile } from "./_file_reader.ts";
import { holdQuickReader } from "./_quick_reader.ts";
import { cannotStore, reasonOf } from "./_put_refusals.ts";
import { Turns } from "./_turns.ts";
import { chunksOf, FILE_READ, type FilesRead, readFiles } from "./files_job.ts";
import {
  type FoundEntry,
  resolveFolder,
  type SkippedEntry,
  type SkipReason,
  walkFolder,
} from "./folder_walk.ts";
import { ManifestBuilder } from "./manifest_builder.ts";

/** What {@linkcode putFolder} needs. */
export interface PutFolderDeps {
  readonly store: BlobStore;
  readonly clock: Clock;
  /** Who reads and hashes; all is done in line when left out. */
  readonly work?: WorkPool;
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

/** What the small files of a group are read into, as far as they fit. */
const BUFFER_BYTES = 1024 * 1024;

/** Entries of a group that a worker reads: telling it costs as much as reading some files. */
const GROUP_ENTRIES = 960;

/** Groups that are read at the same time: one for each worker, and one more so that none waits. */
const GROUPS_MAX = 4;

/** With so many for the workers, this thread reads the next files itself, a millisecond or so of them, ... */
const GROUPS_OFFLOADED_MAX = 3;

/** ... until so many groups wait for the first of them. */
const GROUPS_LONG = 10;

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
  using _reader = holdQuickReader();
  try {
    return await new FolderPut(deps, draft, path, options).run();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw toNetError(error, `Cannot put "${path}"`);
  } finally {
    await draft.abort();
  }
}

/** Entries that are worked on together, and the files among them. */
interface Group {
  readonly entries: readonly FoundEntry[];
  readonly paths: readonly string[];
  readonly buffer: Uint8Array | undefined;
  /** What became of the first files, of all that fit the buffer. */
  readonly read: Promise<FilesRead> | undefined;
  /** Somebody is still reading. */
  isPending: boolean;
}

class FolderPut {
  readonly #draft: BlobDraft;
  readonly #work: WorkPool;
  readonly #root: string;
  readonly #options: PutFolderOptions;
  readonly #manifest = new ManifestBuilder();
  readonly #chunks = new ChunkList();
  readonly #links: PlannedLink[] = [];
  readonly #skipped: SkippedEntry[] = [];
  readonly #turns: Turns;
  readonly #report: (isEnd: boolean) => void;
  /** Chunks of the group before, that are being stored. */
  #writes: Promise<unknown> = Promise.resolve();
  #skippedCount = 0;
  #files = 0;
  #dirs = 0;
  #bytes = 0;

  constructor(deps: PutFolderDeps, draft: BlobDraft, root: string, options: PutFolderOptions) {
    this.#draft = draft;
    this.#work = deps.work ?? inlineWork();
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
    const root = await resolveFolder(this.#root);
    const groups: Group[] = [];
    try {
      let gathered: readonly FoundEntry[] = [];
      for await (const entries of walkFolder(root, (skipped) => this.#skip(skipped))) {
        gathered = gathered.length === 0 ? entries : [...gathered, ...entries];
        // In line the event loop waits for a whole group.
        const isOffloaded = this.#work.counters.work_jobs_offloaded_total > 0;
        const pending = isOffloaded ? groups.filter(({ isPending }) => isPending).length : 0;
        const isHere = pending >= GROUPS_OFFLOADED_MAX;
        const isMore = isOffloaded && !isHere;
        if (isMore && gathered.length + entries.length <= GROUP_ENTRIES) continue;
        groups.push(this.#begin(root, gathered, isHere));
        gathered = [];
        while (groups.length >= GROUPS_MAX) {
          const isWaiting = isOffloaded && groups[0]?.isPending && groups.length < GROUPS_LONG;
          if (isWaiting) break;
          await this.#finish(root, groups.shift());
        }
        if (this.#turns.isOver) await this.#turns.next();
      }
      if (gathered.length > 0) groups.push(this.#begin(root, gathered, false));
      while (groups.length > 0) {
        await this.#finish(root, groups.shift());
        if (this.#turns.isOver) await this.#turns.next();
      }
    } finally {
      // The buffers are in use until then, whatever happened.
      await Promise.allSettled([this.#writes, ...groups.map(({ read }) => read)]);
    }
    await this.#writes;
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

  /** @param isHere This thread reads. */
  #begin(root: string, entries: readonly FoundEntry[], isHere: boolean): Group {
    const paths = entries.filter(({ kind }) => kind === "file").map(({ path }) => path);
    if (paths.length === 0) {
      return { entries, paths, buffer: undefined, read: undefined, isPending: false };
    }
    const buffer = this.#work.takeBuffer(BUFFER_BYTES);
    const read = this.#read(root, paths, buffer, isHere);
    const group = { entries, paths, buffer, read, isPending: !isHere };
    const end = () => void (group.isPending = false);
    read.then(end, end); // Why it failed is seen when its turn comes.
    return group;
  }

  // deno-lint-ignore require-await -- what a reader in line throws must become a rejection.
  async #read(
    root: string,
    paths: readonly string[],
    into: Uint8Array,
    isHere: boolean,
  ): Promise<FilesRead> {
    const job = { root, paths, into, fileBytesMax: SMALL_FILE_BYTES_MAX };
    return (isHere ? undefined : this.#work.readFiles?.(job)) ?? readFiles(job);
  }

  async #finish(root: string, group: Group | undefined): Promise<void> {
    if (group === undefined) return;
    const { entries, paths, buffer } = group;
    let read = await group.read;
    /** Files of the group before those that were read, files of those, and how many of them were read well. */
    let [begun, index, done] = [0, 0, 0];
    for (const entry of entries) {
      if (entry.kind !== "file") {
        this.#add(entry);
        continue;
      }
      if (read === undefined || buffer === undefined) continue;
      if (index === read.count) {
        // The buffer was full: what is in it is stored before it takes the rest.
        await this.#store(read, buffer);
        await this.#writes;
        begun += read.count;
        const left = paths.slice(begun);
        read = await this.#read(root, left, buffer, false);
        [index, done] = [0, 0];
      }
      const mode = read.modes[index] ?? 0;
      const size = read.sizes[index] ?? 0;
      if (read.outcomes[index] === FILE_READ) {
        this.#manifest.addSmallFile(entry.path, mode, read.hashes, done * HASH_BYTES, size);
        this.#files += 1;
        this.#bytes += size;
        done += 1;
      } else await this.#addFile(root, entry.path);
      index += 1;
    }
    if (read !== undefined && buffer !== undefined) {
      await this.#store(read, buffer);
      void this.#writes.finally(() => this.#work.giveBack(buffer)).catch(() => {});
    }
    this.#report(false);
  }

  /** Begins to store the files that were read, when those before them are. */
  async #store(read: FilesRead, buffer: Uint8Array): Promise<void> {
    const chunks = chunksOf(read, buffer);
    this.#chunks.addMany(chunks.hashes, chunks.sizes, chunks.count);
    await this.#writes;
    this.#writes = this.#draft.putMany?.(chunks) ?? this.#storeEach(chunks);
    this.#writes.catch(() => {}); // Seen when it is waited for.
  }

  async #storeEach({ count, hashes, sizes, bytes }: SmallChunks): Promise<void> {
    for (let i = 0, at = 0; i < count; i++) {
      const size = sizes[i] ?? 0;
      const hash = hashes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES);
      await this.#draft.putChunk(hash, bytes.subarray(at, at + size), { isPacked: true });
      at += size;
    }
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

  /** A file that is long, or that something was wrong with. */
  async #addFile(root: string, path: string): Promise<void> {
    const absolute = `${root}/${path}`;
    for (let reads = 0; reads < READS_MAX; reads++) {
      try {
        const state = stateOfFile(absolute);
        if (state === undefined) break;
        if (!await this.#addLongFile(path, absolute, state)) continue;
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

  /** False when the file changed meanwhile; its chunks stay until the draft ends. */
  async #addLongFile(path: string, absolute: string, state: FileState): Promise<boolean> {
    const file = await openFileSource(absolute);
    try {
      const before = this.#bytes;
      const chunked = await chunkFixed(file, {
        work: this.#work,
        onChunk: async ({ hash, bytes }) => void await this.#draft.putChunk(hash, bytes),
        onBytes: (doneBytes) => {
          this.#bytes = before + doneBytes;
          this.#report(false);
        },
        signal: this.#options.signal,
      }).finally(() => this.#bytes = before);
      if (chunked.size !== state.size || !isStill(absolute, state)) return false;
      for (const chunk of chunked.chunks) this.#chunks.add(chunk);
      this.#manifest.addFile(path, state.mode, refOfChunks(chunked));
      return true;
    } finally {
      file.close();
    }
  }

  async #commit(): Promise<StoredBlob> {
    const parts = this.#withoutUnsafeLinks(this.#manifest.finish());
    if (parts.reduce((sum, { length }) => sum + length, 0) > DIR_MANIFEST_BYTES_MAX) {
      throw new NetError("limit", `Cannot put "${this.#root}": its manifest is too long`, {
        next: "put its folders one by one, or pack it: tar c FOLDER | net blob put -",
      });
    }
    const { signal } = this.#options;
    const chunked = await chunkFixed(bytesByteSource(...parts), {
      work: this.#work,
      onChunk: async ({ hash, bytes }) => void await this.#draft.putChunk(hash, bytes),
      signal,
    });
    signal?.throwIfAborted();
    for (const chunk of chunked.chunks) this.#chunks.add(chunk);
    return await this.#draft.commit({
      address: chunked.wholeHash,
      ref: refOfChunks(chunked),
      size: chunked.size,
      chunks: this.#chunks,
      kind: "directory",
    });
  }

  /** The manifest without links that would make every reader refuse all of it. */
  #withoutUnsafeLinks(parts: readonly Uint8Array[]): readonly Uint8Array[] {
    const unsafe = findUnsafeLinks(this.#links);
    if (unsafe.length === 0) return parts;
    for (const { path } of unsafe) this.#skip({ path, reason: "unsafe_link" });
    const paths = new Set(unsafe.map(({ path }) => path));
    const decoded = decodeDirManifest(concatBytes(...parts));
    if (!decoded.ok) throw new NetError("internal", `Cannot read manifest: ${decoded.fault}`);
    const isKept = (entry: DirEntry) => entry.kind !== "symlink" || !paths.has(entry.path);
    this.#links.splice(
      0,
      this.#links.length,
      ...this.#links.filter(({ path }) => !paths.has(path)),
    );
    return [encodeDirManifest(decoded.entries.filter(isKept))];
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

function isStill(path: string, state: FileState): boolean {
  const now = stateOfFile(path);
  return now !== undefined && isSameState(now, state);
}
