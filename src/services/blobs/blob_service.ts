/**
 * The blob service: puts files, serves chunks to peers, gets blobs from here or from them.
 *
 * Without a mesh it works on what is here alone.
 */
import { type Clock, NetError, systemRandom, toNetError } from "../../base/mod.ts";
import {
  type BlobFetcher,
  type BlobSink,
  type BlobTarget,
  type BlobTransfer,
  type ByteRange,
  type ByteSource,
  createBlobFetcher,
  createBlobTransfer,
  type GetBlobOptions,
  type GetIntoOptions,
  type GotBlob,
  type HolderFinder,
  linkBytesPerSecond,
  type LocatedBlob,
  type OnBlobProgress,
  type PutBlobOptions,
  type StoredBlob,
} from "../../blob/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import type { MeshService } from "../mesh.ts";
import type { NatService } from "../nat/mod.ts";
import type { Storage } from "../storage.ts";
import type { PolicyService } from "./policy_service.ts";
import { Uploads } from "./uploads.ts";

/** What {@linkcode BlobService} needs. */
export interface BlobServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly storage: Storage;
  /** `undefined` where no mesh runs. */
  readonly mesh: Pick<MeshService, "transport"> | undefined;
  /** Ways to holders that are not connected; only connected peers are asked when left out. */
  readonly nat?: Pick<NatService, "reach">;
  /** The default policy when left out. */
  readonly policy?: Pick<PolicyService, "current" | "onChange">;
}

/** Options of {@linkcode BlobService.putFile}. */
export interface PutFileOptions {
  readonly label?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnBlobProgress;
}

/** A stored blob and how long that took. */
export interface PutResult {
  readonly stored: StoredBlob;
  readonly seconds: number;
}

/** A blob in a file and how long that took. */
export interface GetResult extends GotBlob {
  readonly seconds: number;
}

/** Blobs of a node and of its peers. */
export class BlobService implements Service {
  readonly name = "blobs";
  readonly uploads: Uploads;
  readonly #deps: BlobServiceDeps;
  #transfer: BlobTransfer | undefined;
  #stopListening: (() => void) | undefined;
  #finder: HolderFinder | undefined;

  constructor(deps: BlobServiceDeps) {
    this.#deps = deps;
    this.uploads = new Uploads({ blobs: deps.storage.blobs, clock: deps.clock });
  }

  start(): Promise<void> {
    const { mesh, nat, clock, log, storage, metrics, policy } = this.#deps;
    const { blobs } = storage;
    metrics.register("blobs", () => ({ ...blobs.counters }));
    if (mesh !== undefined) {
      const transfer = createBlobTransfer({
        link: mesh.transport,
        clock,
        random: systemRandom,
        log,
        source: blobs,
        finder: this.#finder,
        reach: nat && ((peer, signal) => nat.reach(peer, signal)),
      });
      if (policy !== undefined) {
        const configure = () =>
          transfer.configure({
            fraction: 1,
            peakBytesPerSecond: linkBytesPerSecond(policy.current),
            ...policy.current.bandwidth,
          });
        configure();
        this.#stopListening = policy.onChange(configure);
      }
      metrics.register("transfer", () => ({ ...transfer.counters }));
      transfer.start();
      this.#transfer = transfer;
    }
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopListening?.();
    this.#transfer?.stop();
    this.#transfer = undefined;
    await this.uploads.stop();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** What is moved between this node and peers; `undefined` where no mesh runs. */
  get transfer(): BlobTransfer | undefined {
    return this.#transfer;
  }

  /** Sets who knows holders beyond the connected peers. */
  useFinder(finder: HolderFinder): void {
    this.#finder = finder;
    this.#transfer?.useFinder(finder);
  }

  /**
   * Stores a file of this machine.
   *
   * @throws NetError `not_found`, `not_allowed`, `no_space`, `limit`.
   */
  async putFile(path: string, options: PutFileOptions = {}): Promise<PutResult> {
    using file = await openSource(path);
    const { size } = await file.stat();
    return await this.#timed(() =>
      this.#deps.storage.blobs.put(file, { ...options, totalBytes: size })
    );
  }

  /** Ends an upload. */
  finishUpload(id: string): Promise<PutResult> {
    return this.#timed(() => this.uploads.finish(id));
  }

  /** Writes a blob to a file, from here or from peers; see {@linkcode BlobFetcher.get}. */
  async get(target: BlobTarget, options: GetBlobOptions): Promise<GetResult> {
    const { clock } = this.#deps;
    const startedAt = clock.now();
    const got = await this.#fetcher().get(target, options);
    return { ...got, seconds: (clock.now() - startedAt) / 1000 };
  }

  /** Finds where a blob is described, here or at peers; see {@linkcode BlobFetcher.locate}. */
  locate(
    target: BlobTarget,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<LocatedBlob> {
    return this.#fetcher().locate(target, options);
  }

  /** Gives a blob to a sink, from here or from peers; see {@linkcode BlobFetcher.getInto}. */
  getInto(
    target: BlobTarget,
    open: () => Promise<BlobSink>,
    options?: GetIntoOptions,
  ): Promise<GotBlob> {
    return this.#fetcher().getInto(target, open, options);
  }

  /** Gives some bytes of a blob; see {@linkcode BlobFetcher.readRange}. */
  readRange(
    target: BlobTarget,
    range: ByteRange,
    options?: { readonly signal?: AbortSignal },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#fetcher().readRange(target, range, options);
  }

  /** Stores everything that a source gives. */
  put(source: ByteSource, options: PutBlobOptions = {}): Promise<StoredBlob> {
    return this.#deps.storage.blobs.put(source, options);
  }

  #fetcher(): BlobFetcher {
    const { clock, log, storage, policy } = this.#deps;
    return createBlobFetcher({
      store: storage.blobs,
      transfer: this.#transfer,
      clock,
      random: systemRandom,
      log,
      keepsFetched: policy && (() => policy.current.fetch.keepsChunks),
    });
  }

  async #timed(put: () => Promise<StoredBlob>): Promise<PutResult> {
    const startedAt = this.#deps.clock.now();
    const stored = await put();
    return { stored, seconds: (this.#deps.clock.now() - startedAt) / 1000 };
  }
}

async function openSource(path: string): Promise<Deno.FsFile> {
  try {
    const { isDirectory } = await Deno.stat(path);
    if (!isDirectory) return await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new NetError("not_found", `Cannot put "${path}": it does not exist`, { cause: error });
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new NetError("not_allowed", `Cannot put "${path}": it may not be read`, {
        cause: error,
      });
    }
    throw toNetError(error, `Cannot put "${path}"`);
  }
  throw new NetError("usage", `Cannot put "${path}": it is a folder, must be a file`, {
    next: "pack it first, for example with tar -cf - FOLDER | net blob put -",
  });
}
