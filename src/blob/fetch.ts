/**
 * Gets a blob into a file: from this node where it has the chunks, from peers where it has not
 * (`decisions.md` 15).
 *
 * Only verified chunks are written, and the file appears under its name only when the whole is right.
 * Fetched chunks are kept in the store, so that a get which was interrupted asks for none of them again.
 */
import { type Clock, equalBytes, idToHex, NetError, type RandomBytes } from "../base/mod.ts";
import { createBlake3 } from "../core/crypto/mod.ts";
import type { Log } from "../observe/mod.ts";
import { inOrder } from "./_ordered_window.ts";
import { openOutputFile } from "./_output_file.ts";
import { type BlobTarget, describeTarget, formatAddress, formatMeshUri } from "./address.ts";
import type { BlobStore } from "./blob_store.ts";
import { GET_BYTES_MAX, GET_CHUNKS_MAX } from "./limits.ts";
import { MeshChunks } from "./mesh_chunks.ts";
import type { BandwidthClass } from "./policy/mod.ts";
import { createProgressGate, type OnBlobProgress } from "./progress.ts";
import type { FetchableRef } from "./resolver.ts";
import type { BlobTransfer } from "./transfer.ts";
import type { GetEntry } from "./transfer_registry.ts";

/** What {@linkcode createBlobFetcher} needs. */
export interface BlobFetcherDeps {
  readonly store: BlobStore;
  /** `undefined` where there is no mesh: then only what is here can be had. */
  readonly transfer: BlobTransfer | undefined;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  /** Whether fetched chunks stay when a get is complete; they do when left out. */
  readonly keepsFetched?: () => boolean;
}

/** Options of {@linkcode BlobFetcher.getInto}. */
export interface GetIntoOptions {
  /** Asks only these peers. */
  readonly from?: readonly bigint[];
  /** Foreground when left out. */
  readonly bandwidthClass?: BandwidthClass;
  readonly onProgress?: OnBlobProgress;
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode BlobFetcher.get}. */
export interface GetBlobOptions extends GetIntoOptions {
  /** Path of the file to make. */
  readonly output: string;
  /** Replaces a file that exists. */
  readonly overwrite?: boolean;
}

/** Where the bytes of a blob go. */
export interface BlobSink {
  /** Takes the next bytes, its own; each chunk was verified, the whole was not yet. */
  write(bytes: Uint8Array): Promise<void>;
  /** Everything came and was verified. */
  commit(): Promise<void>;
  /** It is over; what was not committed is no blob. */
  discard(): Promise<void>;
}

/** A blob that was got. */
export interface GotBlob {
  /** `b3:` and the hash of what was written. */
  readonly address: string;
  readonly size: number;
  /** Peers that sent some of it; none when all of it was here. */
  readonly from: readonly bigint[];
  /** Bytes that were here before, from an earlier get or otherwise. */
  readonly localBytes: number;
}

/** Where a blob is described. */
export interface LocatedBlob {
  readonly ref: FetchableRef;
  /** The peer that told the reference; `undefined` when it was here or in the target. */
  readonly peer: bigint | undefined;
  /** False when the size in the reference is not known to be right. */
  readonly isSizeKnown: boolean;
}

/** Gets blobs. */
export interface BlobFetcher {
  /**
   * Finds the reference of a target: here, then at peers.
   *
   * @throws NetError `not_found` when nobody knows it; the signal's reason.
   */
  locate(target: BlobTarget, options?: { readonly signal?: AbortSignal }): Promise<LocatedBlob>;
  /**
   * Writes a blob to a file.
   *
   * @throws NetError `not_found`, `integrity`, `timeout`, `unreachable`, `no_space`, `conflict`,
   * `usage`; the signal's reason. Nothing is left of the file then.
   */
  get(target: BlobTarget, options: GetBlobOptions): Promise<GotBlob>;
  /**
   * Gives a blob to a sink, in order, no faster than that takes it.
   *
   * @param open Called once it is known where the blob is described.
   * @throws As `get`, and what the sink throws.
   */
  getInto(
    target: BlobTarget,
    open: () => Promise<BlobSink>,
    options?: GetIntoOptions,
  ): Promise<GotBlob>;
}

/** Creates the fetcher of a node, or of a data folder without one. */
export function createBlobFetcher(deps: BlobFetcherDeps): BlobFetcher {
  return new StoreBlobFetcher(deps);
}

/** One chunk to get; its size may be unknown. */
interface WantedChunk {
  readonly hash: Uint8Array;
  readonly size: number | undefined;
}

class StoreBlobFetcher implements BlobFetcher {
  readonly #deps: BlobFetcherDeps;

  constructor(deps: BlobFetcherDeps) {
    this.#deps = deps;
  }

  async locate(
    target: BlobTarget,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<LocatedBlob> {
    const { store, transfer } = this.#deps;
    if (target.kind === "tree") {
      throw new NetError(
        "failed",
        `Cannot get blob ${describeTarget(target)}: trees are not read`,
        {
          next: "ask its owner for a reference without a tree: blobs of up to 16 GiB need none",
        },
      );
    }
    if (target.kind !== "address") {
      // Readers go by the hash of a Small; the size next to it may be anything.
      return { ref: target, peer: undefined, isSizeKnown: target.kind === "manifest" };
    }
    const { hash } = target;
    const own = await store.resolve(hash);
    if (own !== undefined && own.kind !== "tree") {
      return { ref: own, peer: undefined, isSizeKnown: true };
    }
    const small = { kind: "small", uri: formatMeshUri(hash), hash } as const;
    const size = await store.hasChunk(hash);
    if (size !== undefined) {
      return { ref: { ...small, size }, peer: undefined, isSizeKnown: true };
    }
    if (transfer === undefined) throw notFound(target, "this node does not hold it");
    const told = await transfer.resolve(hash, options);
    if (told !== undefined) {
      return { ref: told.ref, peer: told.peer, isSizeKnown: told.ref.kind === "manifest" };
    }
    // Peers without the look-up may hold it all the same, if it is one chunk.
    return { ref: { ...small, size: 0 }, peer: undefined, isSizeKnown: false };
  }

  get(target: BlobTarget, options: GetBlobOptions): Promise<GotBlob> {
    const { output, overwrite = false, ...others } = options;
    const { random } = this.#deps;
    return this.getInto(target, () => openOutputFile(output, { overwrite, random }), others);
  }

  async getInto(
    target: BlobTarget,
    open: () => Promise<BlobSink>,
    options: GetIntoOptions = {},
  ): Promise<GotBlob> {
    const get = this.#deps.transfer?.registry.beginGet(
      describeTarget(target),
      options.bandwidthClass,
    );
    const signals = [options.signal, get?.signal].filter((signal) => signal !== undefined);
    try {
      const signal = AbortSignal.any(signals);
      const got = await this.#getInto(target, open, { ...options, signal }, get);
      get?.end();
      return got;
    } catch (error) {
      get?.end(error);
      throw error;
    }
  }

  async #getInto(
    target: BlobTarget,
    open: () => Promise<BlobSink>,
    options: GetIntoOptions & { readonly signal: AbortSignal },
    get: GetEntry | undefined,
  ): Promise<GotBlob> {
    const { clock, log, store, keepsFetched } = this.#deps;
    const { onProgress, signal, from: peers } = options;
    const gate = createProgressGate(clock, onProgress);
    gate.finish({ stage: "resolve", doneBytes: 0, totalBytes: undefined });
    const located = await this.locate(target, { signal });
    const { ref, peer } = located;
    const totalBytes = located.isSizeKnown || ref.size > 0 ? ref.size : undefined;
    const reader = new MeshChunks(this.#deps, {
      target: describeTarget(target),
      blobHash: target.kind === "address" ? target.hash : undefined,
      get,
      peers,
    });
    if (peer !== undefined) reader.book?.noteHolder(peer);
    const sink = await open();
    try {
      const from = new Set<bigint>();
      const whole = createBlake3();
      const coming = new Map<number, number>();
      let doneBytes = 0;
      let localBytes = 0;
      const report = () => {
        let bytes = doneBytes;
        for (const received of coming.values()) bytes += received;
        get?.progress(bytes, totalBytes);
        gate.update({ stage: "fetch", doneBytes: bytes, totalBytes });
      };
      const work = async ({ hash, size }: WantedChunk, index: number, abort: AbortSignal) => {
        const onBytes = (received: number) => {
          coming.set(index, received);
          report();
        };
        const chunk = await reader.read(hash, { expectedBytes: size, onBytes, signal: abort });
        return { ...chunk, index };
      };
      for await (
        const chunk of inOrder(chunksOf(ref), work, {
          windowMax: GET_CHUNKS_MAX,
          bytesMax: GET_BYTES_MAX,
          signal,
        })
      ) {
        const written = sink.write(chunk.bytes);
        whole.update(chunk.bytes);
        await written;
        coming.delete(chunk.index);
        doneBytes += chunk.bytes.length;
        if (chunk.peer !== undefined) from.add(chunk.peer);
        else localBytes += chunk.bytes.length;
        report();
      }
      const hash = whole.digest();
      if (target.kind === "address" && !equalBytes(hash, target.hash)) {
        if (peer !== undefined) reader.book?.noteLie(peer);
        log.warn("blob_refused", { address: formatAddress(target.hash), manifest_of: idOf(peer) });
        throw wrongWhole(target, hash, peer);
      }
      gate.finish({ stage: "finish", doneBytes, totalBytes: doneBytes });
      signal.throwIfAborted();
      await sink.commit();
      store.counters.dataforts_blobs_fetched_total += 1;
      if (keepsFetched?.() === false) await reader.dropKept();
      return { address: formatAddress(hash), size: doneBytes, from: [...from], localBytes };
    } finally {
      await Promise.all([sink.discard(), reader.settle()]);
    }
  }
}

function chunksOf(ref: FetchableRef): readonly WantedChunk[] {
  return ref.kind === "small" ? [{ hash: ref.hash, size: undefined }] : ref.chunks;
}

function notFound(target: BlobTarget, reason: string, cause?: unknown): NetError {
  return new NetError("not_found", `Cannot get blob ${describeTarget(target)}: ${reason}`, {
    cause,
    next: "check the address, and connect to a node that holds it with net node start --join",
  });
}

function wrongWhole(target: BlobTarget, hash: Uint8Array, peer: bigint | undefined): NetError {
  const whose = peer === undefined ? "this node's own record" : `node ${idOf(peer)}`;
  return new NetError(
    "integrity",
    `Cannot get blob ${describeTarget(target)}: the list of chunks from ${whose} makes ` +
      formatAddress(hash),
    {
      next: peer === undefined
        ? "put the blob again"
        : "repeat the command: other nodes are asked first from now on",
      data: peer === undefined ? undefined : { peer: idOf(peer) },
    },
  );
}

function idOf(peer: bigint | undefined): string | undefined {
  return peer === undefined ? undefined : idToHex(peer);
}
