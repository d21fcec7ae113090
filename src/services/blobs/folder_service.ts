/**
 * Folders as blobs: puts real ones, makes real ones, and looks into them (`dataforts.md` 14).
 *
 * Has no life of its own: everything goes through the store, and through the transfers of the blob service.
 */
import { type Clock, NetError, systemRandom } from "../../base/mod.ts";
import {
  type BlobSink,
  type BlobTarget,
  describeTarget,
  DIR_MANIFEST_BYTES_MAX,
  type FetchableRef,
  findFile,
  type FolderCursor,
  type FolderPage,
  formatAddress,
  getFolder,
  type GetFolderOptions,
  type GetIntoOptions,
  type GotFolder,
  listFolder,
  MeshChunks,
  parseAddress,
  putFolder,
  type PutFolderOptions,
  type StoredFolder,
} from "../../blob/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { Storage } from "../storage.ts";
import type { BlobService } from "./blob_service.ts";
import type { PolicyService } from "./policy_service.ts";

/** What {@linkcode FolderService} needs. */
export interface FolderServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly storage: Pick<Storage, "blobs"> & Partial<Pick<Storage, "work">>;
  readonly blobs: Pick<BlobService, "getInto" | "transfer">;
  /** The default policy when left out. */
  readonly policy?: Pick<PolicyService, "current">;
}

/** A stored folder and how long that took. */
export interface PutFolderResult extends StoredFolder {
  readonly seconds: number;
}

/** A folder that was made, and how long that took. */
export interface GetFolderResult extends GotFolder {
  /** Of the manifest. */
  readonly address: string;
  readonly seconds: number;
}

/** Options of {@linkcode FolderService.get}. */
export type GetFolderFromOptions =
  & GetFolderOptions
  & Pick<GetIntoOptions, "from" | "bandwidthClass">;

/** Folders of this machine and blobs of this node and its peers. */
export class FolderService {
  readonly #deps: FolderServiceDeps;

  constructor(deps: FolderServiceDeps) {
    this.#deps = deps;
  }

  /** Stores a folder of this machine; see {@linkcode putFolder}. */
  async put(path: string, options: PutFolderOptions = {}): Promise<PutFolderResult> {
    const { clock, storage: { blobs: store, work } } = this.#deps;
    const startedAt = clock.now();
    const put = await putFolder({ store, clock, work }, path, options);
    return { ...put, seconds: (clock.now() - startedAt) / 1000 };
  }

  /** True when the record of a blob here says that it is a folder. */
  async isFolder(target: BlobTarget): Promise<boolean> {
    const address = addressOf(target);
    if (address === undefined) return false;
    return (await this.#deps.storage.blobs.stat(address))?.kind === "directory";
  }

  /**
   * Makes the folder of a target, from here or from peers; see {@linkcode getFolder}. Chunks that came before an error
   * are kept, so that the next one goes on from them.
   */
  async get(target: BlobTarget, options: GetFolderFromOptions): Promise<GetFolderResult> {
    const { clock, log, storage: { blobs: store }, blobs: { transfer }, policy } = this.#deps;
    const { from: peers, bandwidthClass, ...others } = options;
    const startedAt = clock.now();
    const manifest = await this.readManifest(target, { ...options, onProgress: undefined });
    const address = blake3(manifest);
    const get = transfer?.registry.beginGet(describeTarget(target), bandwidthClass);
    const chunks = new MeshChunks({ store, transfer, log }, {
      target: describeTarget(target),
      blobHash: address,
      get,
      peers,
    });
    try {
      const got = await getFolder({ chunks, clock, random: systemRandom }, manifest, {
        ...others,
        signal: AbortSignal.any(
          [options.signal, get?.signal].filter((signal) => signal !== undefined),
        ),
        onProgress: (progress) => {
          get?.progress(progress.doneBytes, progress.totalBytes);
          options.onProgress?.(progress);
        },
      });
      if (policy?.current.fetch.keepsChunks === false) await chunks.dropKept();
      get?.end();
      store.counters.dataforts_blobs_fetched_total += 1;
      const seconds = (clock.now() - startedAt) / 1000;
      return { ...got, address: formatAddress(address), seconds };
    } catch (error) {
      get?.end(error);
      throw error;
    } finally {
      await chunks.settle();
    }
  }

  /** What is at or below a path of a folder, a page at a time; see {@linkcode listFolder}. */
  async list(
    target: BlobTarget,
    path: string,
    options: { readonly after?: FolderCursor; readonly signal?: AbortSignal } = {},
  ): Promise<FolderPage> {
    const { after, signal } = options;
    return await listFolder(await this.readManifest(target, { signal }), path, after);
  }

  /** The reference of a file of a folder; see {@linkcode findFile}. */
  async find(
    target: BlobTarget,
    path: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<FetchableRef> {
    return await findFile(await this.readManifest(target, options), path);
  }

  /**
   * The bytes of what should be a manifest.
   *
   * @throws NetError `integrity` when it is too long to be one; as a get.
   */
  async readManifest(target: BlobTarget, options: GetIntoOptions = {}): Promise<Uint8Array> {
    const sink = new MemorySink();
    await this.#deps.blobs.getInto(target, () => Promise.resolve(sink), options);
    return sink.bytes();
  }
}

/** Takes a blob into memory, if it is not too long for a manifest. */
class MemorySink implements BlobSink {
  readonly keepsBytes = false;
  #bytes = new Uint8Array(0);
  #length = 0;

  write(bytes: Uint8Array): Promise<void> {
    const length = this.#length + bytes.length;
    if (length > DIR_MANIFEST_BYTES_MAX) {
      return Promise.reject(
        new NetError("integrity", "Cannot read folder: it is too long to be one", {
          next: "it is a file: get it without --dir, to a path without / at its end",
        }),
      );
    }
    if (length > this.#bytes.length) {
      // Gives the shorter one back at once, not when somebody collects it.
      const room = Math.min(Math.max(length, 2 * this.#length), DIR_MANIFEST_BYTES_MAX);
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(room));
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
    return Promise.resolve();
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

function addressOf(target: BlobTarget): Uint8Array | undefined {
  if (target.kind === "address" || target.kind === "small") return target.hash;
  return parseAddress(target.uri);
}
