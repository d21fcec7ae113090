/**
 * Blobs to and from folders that other programs use: the store of the Rust core, or plain files
 * (`dataforts.md` 7, 8). Has no life of its own.
 */
import { type Clock, NetError, toHex, toNetError } from "../../base/mod.ts";
import {
  type BlobRecord,
  type ChunkFolder,
  type ChunkFolderFormat,
  detectChunkFolder,
  exportBlob,
  type ExportedBlob,
  formatAddress,
  importBlob,
  type ImportWish,
  listBlobNotes,
  lonelyChunk,
  openChunkFolder,
  parseAddress,
  parseBlobTarget,
  readBlobNote,
  requireRef,
  type StoredBlob,
} from "../../blob/mod.ts";
import type { Storage } from "../storage.ts";

/** What {@linkcode ExchangeService} needs. */
export interface ExchangeServiceDeps {
  readonly clock: Clock;
  readonly storage: Pick<Storage, "blobs" | "ledger">;
}

/** Options of both ways. */
export interface ExchangeOptions {
  /** Found out when left out; plain where nothing is there yet. */
  readonly format?: ChunkFolderFormat;
  /** Bytes of all blobs so far. */
  readonly onBytes?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A blob that could not be taken. */
export interface ImportFailure {
  /** Address or reference in hex. */
  readonly target: string;
  readonly error: NetError;
}

/** What was taken. */
export interface ImportResult {
  readonly format: ChunkFolderFormat;
  readonly stored: readonly StoredBlob[];
  readonly failures: readonly ImportFailure[];
}

/** Failures that are named; the import goes on behind them. */
const FAILURES_MAX = 1_000;
const LIST_PAGE = 1_000;

/** @throws NetError `not_found` when there is nothing at the path and must be, `usage` when it is no folder. */
async function requireFolder(
  path: string,
  { mayLack = false }: { readonly mayLack?: boolean } = {},
): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw toNetError(error, `Cannot read folder "${path}"`);
    }
    if (mayLack) return;
    throw new NetError("not_found", `Cannot read folder "${path}": there is none`, {
      cause: error,
      next: "give the folder that net blob export wrote, or the data folder of a Rust core",
    });
  }
  if (info.isDirectory) return;
  throw new NetError("usage", `Cannot use folder "${path}": it is no folder`, {
    next: "give a folder; a file is stored with net blob put",
  });
}

/** Exports and imports of one store. */
export class ExchangeService {
  readonly #deps: ExchangeServiceDeps;

  constructor(deps: ExchangeServiceDeps) {
    this.#deps = deps;
  }

  /**
   * Writes blobs that are here to a folder.
   *
   * @param targets Addresses or references; `undefined` for all blobs.
   * @throws NetError `usage` when there is something else than a folder; `not_found` for a blob that is not here, or
   * not whole; `no_space`; the signal's reason.
   */
  async export(
    path: string,
    targets: readonly string[] | undefined,
    options: ExchangeOptions = {},
  ): Promise<{ readonly format: ChunkFolderFormat; readonly exported: readonly ExportedBlob[] }> {
    const { blobs, ledger } = this.#deps.storage;
    await requireFolder(path, { mayLack: true });
    const format = options.format ?? await detectChunkFolder(path);
    await using folder = await this.#open(path, format);
    const exported: ExportedBlob[] = [];
    let doneBytes = 0;
    for await (const record of targets === undefined ? this.#all() : this.#named(targets)) {
      const done = await exportBlob({ db: ledger.db, blobs }, record, folder, path, {
        signal: options.signal,
        onBytes: (bytes) => options.onBytes?.(doneBytes + bytes),
      });
      doneBytes += done.bytes;
      exported.push(done);
    }
    return { format, exported };
  }

  /**
   * Takes blobs out of a folder.
   *
   * @param targets Addresses that the folder has a note of, or references; `undefined` for all there are notes of,
   * or, where there are none, every chunk as a blob of its own.
   * @throws NetError `not_found` without the folder, `no_space`, what the folder throws, the signal's reason. A blob that is not whole is reported.
   */
  async import(
    path: string,
    targets: readonly string[] | undefined,
    options: ExchangeOptions = {},
  ): Promise<ImportResult> {
    await requireFolder(path);
    const format = options.format ?? await detectChunkFolder(path);
    await using folder = await this.#open(path, format);
    const stored: StoredBlob[] = [];
    const failures: ImportFailure[] = [];
    let doneBytes = 0;
    for await (const [target, makeWish] of this.#wishes(path, folder, targets)) {
      try {
        const blob = await importBlob(this.#deps.storage.blobs, folder, await makeWish(), {
          signal: options.signal,
          onBytes: (bytes) => options.onBytes?.(doneBytes + bytes),
        });
        doneBytes += blob.size;
        stored.push(blob);
      } catch (error) {
        options.signal?.throwIfAborted();
        const isOfBlob = error instanceof NetError &&
          (error.code === "not_found" || error.code === "integrity");
        if (!isOfBlob || failures.length >= FAILURES_MAX) throw error;
        failures.push({ target, error });
      }
    }
    return { format, stored, failures };
  }

  async #open(path: string, format: ChunkFolderFormat): Promise<ChunkFolder> {
    return await openChunkFolder(path, format, this.#deps.clock);
  }

  async *#all(): AsyncGenerator<BlobRecord> {
    const { blobs } = this.#deps.storage;
    for (let page = await blobs.list({ limit: LIST_PAGE });;) {
      yield* page.blobs;
      if (page.next === undefined) return;
      page = await blobs.list({ limit: LIST_PAGE, after: page.next });
    }
  }

  async *#named(targets: readonly string[]): AsyncGenerator<BlobRecord> {
    for (const text of targets) {
      const target = parseBlobTarget(text);
      const hash = target.kind === "address" || target.kind === "small"
        ? target.hash
        : target.kind === "tree"
        ? target.rootHash
        : parseAddress(target.uri);
      const record = hash && await this.#deps.storage.blobs.stat(hash);
      if (record === undefined) {
        throw new NetError(
          "not_found",
          `Cannot export ${text.slice(0, 80)}: this node has no such blob`,
          {
            next:
              "list what is here with net blob ls; net blob put of a file that was got lists it here, too",
          },
        );
      }
      yield record;
    }
  }

  /** What is to be taken, each with its name; the wish itself may fail. */
  async *#wishes(
    path: string,
    folder: ChunkFolder,
    targets: readonly string[] | undefined,
  ): AsyncGenerator<readonly [string, () => Promise<ImportWish>]> {
    const noted = targets === undefined ? await listBlobNotes(path) : [];
    for (const address of noted) {
      yield [formatAddress(address), () => this.#noted(path, address)];
    }
    for (const text of targets ?? []) {
      const target = parseBlobTarget(text);
      yield [
        text,
        target.kind === "address"
          ? () => this.#noted(path, target.hash)
          : () => Promise.resolve({ ref: target }),
      ];
    }
    if (targets !== undefined || noted.length > 0) return;
    for await (const hash of folder.list()) {
      yield [formatAddress(hash), async () => {
        const bytes = await folder.read(hash);
        if (bytes !== undefined) return lonelyChunk(hash, bytes.length);
        throw new NetError(
          "not_found",
          `Cannot import chunk ${toHex(hash)}: it is empty or damaged`,
          {
            next: "export it again",
          },
        );
      }];
    }
  }

  async #noted(path: string, address: Uint8Array): Promise<ImportWish> {
    const found = await readBlobNote(path, address);
    if (found === undefined) {
      throw new NetError(
        "not_found",
        `Cannot import ${formatAddress(address)}: the folder says nothing of it`,
        { next: "give its reference, as net blob stat shows it where it was" },
      );
    }
    const { blobRef, kind, label } = found.note;
    return { ref: requireRef(blobRef), address, kind, label, extra: found.chunks };
  }
}
