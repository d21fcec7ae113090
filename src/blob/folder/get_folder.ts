/**
 * Makes a real folder of a manifest (`dataforts.md` 14): all of it, or nothing.
 *
 * A manifest may be hostile. It is planned before anything is written, what is written goes into a folder of ours
 * beside its place (`staging_folder.ts`), and only verified chunks are. Long manifests are read in slices.
 */
import { statfsSync } from "node:fs";
import { type Clock, NetError, type RandomBytes } from "../../base/mod.ts";
import { readAhead } from "../_read_ahead.ts";
import type { ChunkRef } from "../blob_ref.ts";
import { DirEntries, type DirManifestFault } from "../directory/dir_manifest.ts";
import {
  type ExtractionFault,
  type ExtractionPlan,
  onlyChunkOf,
  planExtractionSteps,
  type PlannedFile,
  refOfPlannedFile,
} from "../directory/extraction_plan.ts";
import { CHUNK_BYTES } from "../limits.ts";
import { createProgressGate, type OnBlobProgress } from "../progress.ts";
import { ByteBudget } from "./_byte_budget.ts";
import { foldsNames, makeLink, openFileWriter, syncAll, writeSmallFile } from "./_folder_writer.ts";
import { toPlaceError } from "./_folder_errors.ts";
import { Turns } from "./_turns.ts";
import { openStagingFolder } from "./staging_folder.ts";

/** A verified chunk. */
export interface FolderChunk {
  readonly bytes: Uint8Array;
  /** Who sent it; `undefined` when it was here. */
  readonly peer: bigint | undefined;
}

/** Where the chunks of the files come from; `MeshChunks` is one. */
export interface FolderChunks {
  read(
    hash: Uint8Array,
    options?: { readonly expectedBytes?: number; readonly signal?: AbortSignal },
  ): Promise<FolderChunk>;
}

/** What {@linkcode getFolder} needs. */
export interface GetFolderDeps {
  readonly chunks: FolderChunks;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** Options of {@linkcode getFolder}. */
export interface GetFolderOptions {
  /** Absolute path of the folder to make; the one above it exists. */
  readonly output: string;
  /** Replaces a folder that is there. */
  readonly overwrite?: boolean;
  readonly onProgress?: OnBlobProgress;
  readonly signal?: AbortSignal;
}

/** A folder that was made. */
export interface GotFolder {
  readonly files: number;
  readonly dirs: number;
  readonly symlinks: number;
  /** Bytes of all files. */
  readonly bytes: number;
  /** Bytes of chunks that were here before. */
  readonly localBytes: number;
  /** Peers that sent some of it. */
  readonly from: readonly bigint[];
}

/** Files at work at once, and the bytes of chunks they share. */
const FILES_MAX = 16;
const BUDGET_BYTES = 8 * 1024 * 1024;

/** A chunk up to here is written at once: that takes less than to tell another thread. */
const INLINE_BYTES_MAX = 256 * 1024;

/** What is left free on the device, whatever a manifest says of its sizes. */
const FREE_BYTES_MIN = 64 * 1024 * 1024;

/**
 * Makes the folder of a manifest.
 *
 * @throws NetError `integrity` for a manifest that is none or is refused, `conflict` when there is such a folder or two
 * names are one on this file system, `usage` for a place no folder can be, `no_space`, `not_allowed`; what the chunks
 * throw; the signal's reason. Then everything is as it was before.
 */
export async function getFolder(
  deps: GetFolderDeps,
  manifest: Uint8Array,
  options: GetFolderOptions,
): Promise<GotFolder> {
  const { output, overwrite = false, signal } = options;
  const turns = new Turns(signal);
  const entries = new DirEntries(manifest);
  if (entries.fault !== undefined) throw noManifest(entries.fault);
  const staging = await openStagingFolder(output, { overwrite, random: deps.random });
  try {
    const planned = await turns.run(
      planExtractionSteps(entries, {
        platform: Deno.build.os === "windows" ? "windows" : "unix",
        foldsNames: foldsNames(staging.path),
      }),
    );
    await turns.run(entries.finish());
    if (entries.fault !== undefined) throw noManifest(entries.fault);
    if (!planned.ok) throw refused(planned.fault, planned.path);
    const extraction = new Extraction(deps, planned.plan, staging.path, options, turns);
    const got = await extraction.run();
    signal?.throwIfAborted();
    await staging.install();
    return got;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw toPlaceError(error, output);
  } finally {
    await staging.discard();
  }
}

function noManifest(fault: DirManifestFault): NetError {
  return new NetError("integrity", `Cannot read folder: the blob lists no folder (${fault})`, {
    next: "if it is a file, get it without --dir, and without / at the end of OUT",
  });
}

class Extraction {
  readonly #deps: GetFolderDeps;
  readonly #plan: ExtractionPlan;
  readonly #root: string;
  readonly #turns: Turns;
  readonly #budget = new ByteBudget(BUDGET_BYTES);
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #bytesMax: number;
  readonly #report: (isEnd: boolean) => void;
  readonly #from = new Set<bigint>();
  #bytes = 0;
  #localBytes = 0;
  #files = 0;

  constructor(
    deps: GetFolderDeps,
    plan: ExtractionPlan,
    root: string,
    options: GetFolderOptions,
    turns: Turns,
  ) {
    this.#deps = deps;
    this.#plan = plan;
    this.#root = root;
    this.#turns = turns;
    const { signal } = options;
    this.#signal = signal === undefined
      ? this.#abort.signal
      : AbortSignal.any([signal, this.#abort.signal]);
    this.#bytesMax = roomFor(root, plan);
    const gate = createProgressGate(deps.clock, options.onProgress);
    const { totalBytes } = plan.files;
    this.#report = (isEnd) => {
      const progress = {
        stage: isEnd ? "finish" : "fetch",
        doneBytes: this.#bytes,
        totalBytes,
        doneFiles: this.#files,
        totalFiles: plan.files.length,
      };
      if (isEnd) gate.finish(progress);
      else gate.update(progress);
    };
  }

  async run(): Promise<GotFolder> {
    const { dirs, files, links, repeatedFiles } = this.#plan;
    for (const path of dirs) {
      Deno.mkdirSync(`${this.#root}/${path}`);
      if (this.#turns.isOver) await this.#turns.next();
    }
    const left = files[Symbol.iterator]();
    await this.#together(async () => {
      for (let next = left.next(); !next.done; next = left.next()) {
        await this.#makeFile(next.value);
        this.#files += 1;
        this.#report(false);
        if (this.#turns.isOver) await this.#turns.next();
      }
    });
    let symlinks = 0;
    for (const { path, target } of links) {
      if (makeLink(`${this.#root}/${path}`, target)) symlinks += 1;
      if (this.#turns.isOver) await this.#turns.next();
    }
    this.#report(true);
    await syncAll(this.#root, dirs, files.paths);
    return {
      files: files.length + repeatedFiles.length,
      dirs: dirs.length,
      symlinks,
      bytes: this.#bytes + repeatedFiles.reduce((sum, { size }) => sum + size, 0),
      localBytes: this.#localBytes,
      from: [...this.#from],
    };
  }

  /** Runs so many lanes to their end; the first error ends all of them. */
  async #together(lane: () => Promise<void>): Promise<void> {
    const lanes = Array.from({ length: FILES_MAX }, async () => {
      try {
        await lane();
      } catch (error) {
        this.#abort.abort(error);
        throw error;
      }
    });
    const results = await Promise.allSettled(lanes);
    if (results.every(({ status }) => status === "fulfilled")) return;
    throw this.#signal.reason;
  }

  async #makeFile(file: PlannedFile): Promise<void> {
    this.#signal.throwIfAborted();
    const cost = this.#budget.costOf(Math.min(file.size, CHUNK_BYTES));
    if (!this.#budget.tryTake(cost)) await this.#budget.take(cost);
    try {
      await this.#writeFile(file);
    } finally {
      this.#budget.give(cost);
    }
  }

  async #writeFile(file: PlannedFile): Promise<void> {
    const only = onlyChunkOf(file);
    if (only !== undefined) {
      // Readers go by the hash of a Small; the size next to it may be anything.
      const chunk = await this.#deps.chunks.read(only, { signal: this.#signal });
      if (chunk.bytes.length > INLINE_BYTES_MAX) return await this.#writeLong(file, [chunk]);
      this.#count(chunk);
      return writeSmallFile(`${this.#root}/${file.path}`, chunk.bytes, file.mode);
    }
    const ref = refOfPlannedFile(file);
    const list = ref.kind === "small" ? [ref] : ref.chunks;
    const read = (chunk: ChunkRef, signal: AbortSignal) =>
      this.#deps.chunks.read(chunk.hash, { expectedBytes: chunk.size, signal });
    // One is written while the next is read.
    const options = { itemsMax: 2, bytesMax: CHUNK_BYTES, signal: this.#signal };
    await this.#writeLong(file, resultsOf(readAhead(list, read, options)));
  }

  async #writeLong(
    { path, mode }: PlannedFile,
    chunks: AsyncIterable<FolderChunk> | Iterable<FolderChunk>,
  ): Promise<void> {
    const writer = await openFileWriter(`${this.#root}/${path}`, mode);
    try {
      for await (const chunk of chunks) {
        this.#count(chunk);
        await writer.write(chunk.bytes);
        this.#report(false);
      }
      await writer.finish();
    } finally {
      writer.close();
    }
  }

  #count({ bytes: { length }, peer }: FolderChunk): void {
    if (peer === undefined) this.#localBytes += length;
    else this.#from.add(peer);
    this.#bytes += length;
    if (this.#bytes > this.#bytesMax) throw noRoom(this.#bytes, this.#bytesMax);
  }
}

/**
 * Bytes that may be written.
 *
 * @throws NetError `no_space` when the plan has more.
 */
function roomFor(root: string, plan: ExtractionPlan): number {
  let room = Infinity;
  try {
    const { bavail, bsize } = statfsSync(root);
    room = Math.max(0, bavail * bsize - FREE_BYTES_MIN);
  } catch (error) {
    // Not every file system says; a full device does.
    if (!(error instanceof Error)) throw error;
  }
  const wanted = plan.files.totalBytes;
  if (wanted > room) throw noRoom(wanted, room);
  return room;
}

function noRoom(wanted: number, room: number): NetError {
  return new NetError(
    "no_space",
    `Cannot write folder: it has ${wanted} bytes, and ${room} bytes are free`,
    { next: "free some space or choose another folder, then repeat the command" },
  );
}

const REFUSALS: Readonly<Record<ExtractionFault, string>> = {
  unsafe_path: "a path or link leads out of it, or through a link",
  path_conflict: "two of its names exclude each other here",
  too_large: "it needs too many folders",
  bad_reference: "the content of a file is no blob reference",
  tree_unsupported: "the content of a file is a tree",
};

function refused(fault: ExtractionFault, path: string): NetError {
  const where = path === "" ? "" : ` at ${JSON.stringify(path.slice(0, 200))}`;
  return new NetError(
    fault === "path_conflict" ? "conflict" : "integrity",
    `Cannot write folder: ${REFUSALS[fault]}${where}`,
    {
      next: fault === "path_conflict"
        ? "choose a file system that tells such names apart"
        : "do not trust where this came from; nothing was written",
      data: { fault, path: path.slice(0, 200) },
    },
  );
}

async function* resultsOf<R>(
  pairs: AsyncIterable<readonly [unknown, R]>,
): AsyncGenerator<R, void, undefined> {
  for await (const [, result] of pairs) yield result;
}
