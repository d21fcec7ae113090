/**
 * The blob service: puts files, serves chunks to peers, gets blobs from here or from them.
 *
 * Without a mesh it works on what is here alone.
 */
import { type Clock, NetError, systemRandom, toNetError } from "../../base/mod.ts";
import {
  type BlobFetcher,
  type BlobRepairReport,
  type BlobSink,
  type BlobTarget,
  type BlobTransfer,
  type ByteSource,
  type ChunkReader,
  createBlobFetcher,
  createBlobTransfer,
  decodeBlobRef,
  DEFAULT_DATA_POLICY,
  formatAddress,
  type GetBlobOptions,
  type GetIntoOptions,
  type GotBlob,
  type HolderFinder,
  linkBytesPerSecond,
  type LocatedBlob,
  MeshChunks,
  type OnBlobProgress,
  parsePutForm,
  PLAIN_FORM,
  ProvenRefs,
  type PutBlobOptions,
  type PutForm,
  putFormOf,
  type PutFormWords,
  type ReadRangeOptions,
  repairBlob,
  RepairOnRead,
  type StoredBlob,
  TreeNodeCache,
  type WantedRange,
} from "../../blob/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import type { MeshService } from "../mesh.ts";
import type { NatService } from "../nat/mod.ts";
import type { Storage } from "../storage.ts";
import { type FetchSpilled, SpillSource } from "./spill_source.ts";
import { hashOf, notHere } from "./_target.ts";
import type { PolicyService } from "./policy_service.ts";
import { Stagings } from "./stagings.ts";
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
  /** What the policy says when left out. */
  readonly form?: PutForm;
  /** False for a put that ends sooner, and that a loss of power may undo; it has no checkpoints. */
  readonly isSynced?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnBlobProgress;
}

/** A stored blob and how long that took. */
export interface PutResult {
  readonly stored: StoredBlob;
  readonly seconds: number;
}

/** A stored file, and how much of it was stored by an earlier, interrupted put. */
export interface PutFileResult extends PutResult {
  readonly resumedBytes: number;
}

/** A blob in a file and how long that took. */
export interface GetResult extends GotBlob {
  readonly seconds: number;
}

/** A blob that was looked after. */
export interface RepairedBlob {
  readonly address: Uint8Array;
  readonly size: number;
  readonly report: BlobRepairReport;
}

/** Blobs of a node and of its peers. */
export class BlobService implements Service {
  readonly name = "blobs";
  readonly uploads: Uploads;
  /** Puts that can be gone on with after a crash. */
  readonly stagings: Stagings;
  readonly #deps: BlobServiceDeps;
  #transfer: BlobTransfer | undefined;
  #stopListening: (() => void) | undefined;
  #finder: HolderFinder | undefined;
  #fetchSpilled: FetchSpilled | undefined;
  /** Nodes of trees; `undefined` while the policy gives them no memory. */
  #nodes: TreeNodeCache | undefined;
  readonly #proven = new ProvenRefs();
  #stopForgetting: (() => void) | undefined;
  readonly #repairs: RepairOnRead;

  constructor(deps: BlobServiceDeps) {
    this.#deps = deps;
    const { clock, log, storage, policy } = deps;
    this.uploads = new Uploads({ blobs: this, clock });
    this.stagings = new Stagings({
      blobs: storage.blobs,
      ledger: storage.ledger,
      flush: () => storage.chunks.flush(),
      clock,
      random: systemRandom,
      log,
      settings: () => (policy?.current ?? DEFAULT_DATA_POLICY).staging,
    });
    const addChunk = storage.blobs.addChunk.bind(storage.blobs);
    this.#repairs = new RepairOnRead({ clock, log, addChunk });
  }

  start(): Promise<void> {
    const { mesh, nat, clock, log, storage, metrics, policy } = this.#deps;
    const { blobs } = storage;
    metrics.register("blobs", () => ({ ...blobs.counters, ...this.stagings.counters }));
    this.stagings.start();
    metrics.register("blob_reads", () => ({ ...this.#repairs.counters, ...this.#nodeStats() }));
    this.#configureNodes();
    const stopNodes = policy?.onChange(() => this.#configureNodes());
    const stopChanges = blobs.onChange(({ kind, hash }) => {
      if (kind === "removed") this.#nodes?.remove(hash);
    });
    this.#stopForgetting = () => {
      stopNodes?.();
      stopChanges();
    };
    if (mesh !== undefined) {
      const transfer = createBlobTransfer({
        link: mesh.transport,
        clock,
        random: systemRandom,
        log,
        source: this.#fetchSpilled === undefined
          ? blobs
          : new SpillSource(blobs, this.#fetchSpilled),
        finder: this.#finder,
        work: storage.work,
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
    this.#stopForgetting?.();
    await this.#repairs.settle();
    this.#transfer?.stop();
    this.#transfer = undefined;
    await Promise.all([this.uploads.stop(), this.stagings.stop()]);
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** What is moved between this node and peers; `undefined` where no mesh runs. */
  get transfer(): BlobTransfer | undefined {
    return this.#transfer;
  }

  /** Sets from where peers are served what others hold in this node's stead; before the start. */
  useSpilled(fetch: FetchSpilled): void {
    this.#fetchSpilled = fetch;
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
  async putFile(path: string, options: PutFileOptions = {}): Promise<PutFileResult> {
    const { clock } = this.#deps;
    const { label, form, signal, onProgress } = options;
    const startedAt = clock.now();
    using file = await openSource(path);
    const { size, mtime, ino } = await file.stat();
    if (options.isSynced === false) {
      const stored = await this.#deps.storage.blobs.put(file, {
        ...options,
        form: form ?? this.putForm(),
        totalBytes: size,
      });
      return { stored, resumedBytes: 0, seconds: (clock.now() - startedAt) / 1000 };
    }
    const put = await this.stagings.putFile(file, {
      sourceKey: JSON.stringify([path, size, mtime?.getTime() ?? 0, ino]),
      label,
      form: form ?? this.putForm(),
      totalBytes: size,
      signal,
      onResume: (doneBytes) => onProgress?.({ stage: "resume", doneBytes, totalBytes: size }),
      onProgress,
    });
    return { ...put, seconds: (clock.now() - startedAt) / 1000 };
  }

  /** Ends a stream that can be resumed. */
  finalizeStaging(token: string): Promise<PutResult> {
    return this.#timed(() => this.stagings.finalize(token));
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
    range: WantedRange,
    options?: ReadRangeOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#fetcher().readRange(target, range, options);
  }

  /** Stores everything that a source gives. */
  put(source: ByteSource, options: PutBlobOptions = {}): Promise<StoredBlob> {
    return this.#deps.storage.blobs.put(source, {
      ...options,
      form: options.form ?? this.putForm(),
    });
  }

  /**
   * The form of a put: what the policy says, and on top of it what words ask for.
   *
   * @throws NetError `usage` when there is no such form.
   */
  putForm(words: PutFormWords = {}): PutForm {
    const { policy } = this.#deps;
    return parsePutForm(policy === undefined ? PLAIN_FORM : putFormOf(policy.current), words);
  }

  /**
   * Writes lost chunks of a blob that is here again, from parity and then from other nodes.
   *
   * @throws NetError `not_found` when there is no record of it, or a node of its tree is nowhere.
   */
  async repair(
    target: BlobTarget,
    options: { readonly signal?: AbortSignal; readonly onBytes?: (doneBytes: number) => void } = {},
  ): Promise<RepairedBlob> {
    const { storage: { blobs, work }, log } = this.#deps;
    const transfer = this.#transfer;
    const record = await blobs.stat(hashOf(target));
    if (record === undefined) throw notHere(target);
    const { address, size, blobRef } = record;
    const decoded = decodeBlobRef(blobRef);
    if (!decoded.ok) throw notHere(target);
    const chunks = new MeshChunks({ store: blobs, transfer, log }, {
      target: formatAddress(address),
      blobHash: address,
    });
    const far: ChunkReader = {
      read: async (hash, expectedBytes, signal) =>
        (await chunks.read(hash, { expectedBytes, signal })).bytes,
    };
    try {
      const report = await repairBlob(decoded.ref, {
        ...options,
        near: { read: (hash) => blobs.readChunk(hash) },
        far: transfer === undefined ? undefined : far,
        store: (hash, bytes) => blobs.addChunk(hash, bytes, { isDurable: true }),
        work,
      });
      return { address, size, report };
    } finally {
      await chunks.settle();
    }
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
      nodes: this.#nodes,
      proven: this.#proven,
      onRestored: policy?.current.read.repairs
        ? (stripe, restored) => this.#repairs.note(stripe, restored)
        : undefined,
      work: storage.work,
    });
  }

  #configureNodes(): void {
    const bytes = this.#deps.policy?.current.read.nodeCacheBytes ?? 0;
    if (bytes === (this.#nodes?.bytesMax ?? 0)) return;
    this.#nodes = bytes === 0 ? undefined : new TreeNodeCache(bytes);
  }

  #nodeStats() {
    const { hits = 0, misses = 0, bytes = 0, entries = 0 } = this.#nodes?.stats() ?? {};
    return {
      tree_node_cache_hits_total: hits,
      tree_node_cache_misses_total: misses,
      tree_node_cache_bytes: bytes,
      tree_node_cache_entries: entries,
    };
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
      throw new NetError("not_found", `Cannot put "${path}": it does not exist`, {
        cause: error,
        next: "check the path",
      });
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
