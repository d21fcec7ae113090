/**
 * Gets a blob into a file: from this node where it has the chunks, from peers where it has not
 * (`decisions.md` 15).
 *
 * Only verified chunks are written, and the file appears under its name only when the whole is right.
 * Fetched chunks are kept in the store, so that a get which was interrupted asks for none of them again.
 */
import { type Clock, equalBytes, idToHex, NetError, type RandomBytes, toHex } from "../base/mod.ts";
import { type Blake3, createBlake3, isBlake3Subtree } from "../core/crypto/mod.ts";
import type { Log } from "../observe/mod.ts";
import { openOutputFile, type OutputFile } from "./_output_file.ts";
import { type BlobTarget, describeTarget, formatAddress, formatMeshUri } from "./address.ts";
import type { BlobRef } from "./blob_ref.ts";
import type { BlobStore } from "./blob_store.ts";
import { CHUNK_BYTES, GET_BYTES_MAX, GET_CHUNKS_MAX, TREE_NODE_BYTES_MAX } from "./limits.ts";
import { MeshChunks, type MeshChunksOptions } from "./mesh_chunks.ts";
import type { BandwidthClass } from "./policy/mod.ts";
import { createProgressGate, type OnBlobProgress } from "./progress.ts";
import {
  type ByteRange,
  ChunkBuffers,
  type ChunkReader,
  type OnRestored,
  ProvenRefs,
  readBlob,
  type TreeNodeCache,
} from "./read/mod.ts";
import type { BlobTransfer } from "./transfer.ts";
import type { GetEntry } from "./transfer_registry.ts";
import { decodeTreeNode } from "./tree/tree_node.ts";
import { updateInTurns, type WorkPool } from "./work/mod.ts";

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
  /** Nodes of trees that were read lately. */
  readonly nodes?: TreeNodeCache;
  /** References that are known to be right; of this fetcher alone when left out. */
  readonly proven?: ProvenRefs;
  /** Told of chunks that were restored from parity. */
  readonly onRestored?: OnRestored;
  /** Who restores; all is done in line when left out. */
  readonly work?: WorkPool;
}

/** Options of {@linkcode BlobFetcher.getInto}. */
export interface GetIntoOptions {
  /** Asks only these peers. */
  readonly from?: readonly bigint[];
  /** Bytes read ahead; one chunk is always let in. As many as fill a fast network when left out. */
  readonly aheadBytes?: number;
  /** Foreground when left out. */
  readonly bandwidthClass?: BandwidthClass;
  /**
   * False does without the address of what was asked for by its reference: that proves every chunk, and to name the
   * whole every byte is hashed once more. True when left out.
   */
  readonly isNamed?: boolean;
  readonly onProgress?: OnBlobProgress;
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode BlobFetcher.readRange}. */
export interface ReadRangeOptions {
  /** As of {@linkcode GetIntoOptions}. */
  readonly aheadBytes?: number;
  /** False when the bytes are needed only until the next are asked for: they are used again then. */
  readonly keepsBytes?: boolean;
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode BlobFetcher.get}. */
export interface GetBlobOptions extends GetIntoOptions {
  /** Path of the file to make. */
  readonly output: string;
  /** Replaces a file that exists. */
  readonly overwrite?: boolean;
  /** Waits until the file is on the disk; false when left out, as with a copy. */
  readonly isSynced?: boolean;
}

/** Where the bytes of a blob go. */
export interface BlobSink {
  /** False when `write` needs its bytes only until it resolves: they are used again then. */
  readonly keepsBytes?: boolean;
  /** Takes the next bytes, its own; each chunk was verified, the whole was not yet. */
  write(bytes: Uint8Array): Promise<void>;
  /** Everything came and was verified. */
  commit(): Promise<void>;
  /** It is over; what was not committed is no blob. */
  discard(): Promise<void>;
}

/** A blob that was got. */
export interface GotBlob {
  /** `b3:` and the hash of what was written; `undefined` when nobody asked for it. */
  readonly address: string | undefined;
  readonly size: number;
  /** Peers that sent some of it; none when all of it was here. */
  readonly from: readonly bigint[];
  /** Bytes that were here before, from an earlier get or otherwise. */
  readonly localBytes: number;
}

/** Some bytes of a blob: from `start` to before `end`, or the `last` so many; what is not there is left out. */
export interface WantedRange {
  readonly start?: bigint;
  readonly end?: bigint;
  readonly last?: bigint;
}

/** Where a blob is described. */
export interface LocatedBlob {
  readonly ref: BlobRef;
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
  /**
   * Gives some bytes of a blob in order, verified chunk by chunk. Where only a peer says of which chunks the blob of
   * an address is made, all of it is fetched and hashed before: a part of something else must not pass for it.
   *
   * @throws NetError `usage` when the range begins behind the end; as `get`.
   */
  readRange(
    target: BlobTarget,
    range: WantedRange,
    options?: ReadRangeOptions,
  ): AsyncGenerator<Uint8Array, void, undefined>;
}

/** Creates the fetcher of a node, or of a data folder without one. */
export function createBlobFetcher(deps: BlobFetcherDeps): BlobFetcher {
  return new StoreBlobFetcher(deps);
}

class StoreBlobFetcher implements BlobFetcher {
  readonly #deps: BlobFetcherDeps;
  readonly #proven: ProvenRefs;

  constructor(deps: BlobFetcherDeps) {
    this.#deps = deps;
    this.#proven = deps.proven ?? new ProvenRefs();
  }

  async locate(
    target: BlobTarget,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<LocatedBlob> {
    const { store, transfer } = this.#deps;
    if (target.kind !== "address") {
      // Readers go by the hash of a Small; the size next to it may be anything.
      return { ref: target, peer: undefined, isSizeKnown: target.kind !== "small" };
    }
    const { hash } = target;
    const own = await store.resolve(hash);
    if (own !== undefined) {
      return { ref: own, peer: undefined, isSizeKnown: true };
    }
    const small = { kind: "small", uri: formatMeshUri(hash), hash } as const;
    const size = await store.hasChunk(hash);
    // The root of a tree that was read in part is a chunk too; who holds the tree knows better.
    if (size !== undefined && (transfer === undefined || !await this.#isNode(hash, size))) {
      return { ref: { ...small, size }, peer: undefined, isSizeKnown: true };
    }
    if (transfer === undefined) throw notFound(target, "this node does not hold it");
    const told = await transfer.resolve(hash, options);
    if (told !== undefined) {
      return { ref: told.ref, peer: told.peer, isSizeKnown: told.ref.kind !== "small" };
    }
    if (size !== undefined) {
      return { ref: { ...small, size }, peer: undefined, isSizeKnown: true };
    }
    // Peers without the look-up may hold it all the same, if it is one chunk.
    return { ref: { ...small, size: 0 }, peer: undefined, isSizeKnown: false };
  }

  get(target: BlobTarget, options: GetBlobOptions): Promise<GotBlob> {
    const { output, overwrite = false, isSynced = false, ...others } = options;
    const { random } = this.#deps;
    const open = () => openOutputFile(output, { overwrite, isSynced, random });
    // A file keeps nothing of what it was given.
    return this.#runGet(target, open, others, true);
  }

  getInto(
    target: BlobTarget,
    open: () => Promise<BlobSink>,
    options: GetIntoOptions = {},
  ): Promise<GotBlob> {
    return this.#runGet(target, open, options, false);
  }

  /** @param isCopying True when the sink is done with the bytes once it took them. */
  async #runGet(
    target: BlobTarget,
    open: () => Promise<BlobSink>,
    options: GetIntoOptions,
    isCopying: boolean,
    known?: LocatedBlob,
  ): Promise<GotBlob> {
    const get = this.#deps.transfer?.registry.beginGet(
      describeTarget(target),
      options.bandwidthClass,
    );
    const signals = [options.signal, get?.signal].filter((signal) => signal !== undefined);
    try {
      const signal = AbortSignal.any(signals);
      const run = () => this.#getInto(target, open, { ...options, signal, isCopying }, get, known);
      const got = await run().catch((error) => {
        // Its holder has come back with a new session: whoever could not say what it has says so now.
        const isLost = error instanceof NetError && error.code === "unreachable";
        if (!isLost || !isCopying || signal.aborted) throw error;
        return run();
      });
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
    options: GetIntoOptions & { readonly signal: AbortSignal; readonly isCopying: boolean },
    get: GetEntry | undefined,
    known?: LocatedBlob,
  ): Promise<GotBlob> {
    const { clock, log, store, keepsFetched } = this.#deps;
    const { onProgress, signal, isCopying, from: peers } = options;
    const gate = createProgressGate(clock, onProgress);
    gate.finish({ stage: "resolve", doneBytes: 0, totalBytes: undefined });
    const located = known ?? await this.locate(target, { signal });
    const { ref, peer } = located;
    const refBytes = Number(ref.size);
    const totalBytes = located.isSizeKnown || refBytes > 0 ? refBytes : undefined;
    const work = isCopying && areDistinct(ref) ? this.#deps.work : undefined;
    // A tree that is asked for by its root is verified on the way down.
    const isRoot = target.kind === "address" && ref.kind === "tree" &&
      equalBytes(ref.rootHash, target.hash);
    const isProof = target.kind === "address" && !isRoot;
    const whole = isProof || options.isNamed !== false ? createBlake3() : undefined;
    const placeOf = work && whole && placesOf(ref);
    work?.prepare?.(refBytes);
    const reader = this.#chunksFor(target, { get, peers, work, placeOf });
    if (peer !== undefined) reader.book?.noteHolder(peer);
    const sink = await open();
    const file = work && isOutputFile(sink) ? sink : undefined;
    const lending = file && await store.lend(file.partPath);
    if (lending !== undefined) reader.isKeeping = false;
    const places = file && placesOf(ref);
    try {
      const from = new Set<bigint>();
      using buffers = sink.keepsBytes === false ? new ChunkBuffers(GET_CHUNKS_MAX) : undefined;
      const arrivals = new Arrivals(reader, buffers, (waitingBytes) => {
        const bytes = Math.min(doneBytes + waitingBytes, totalBytes ?? Infinity);
        get?.progress(bytes, totalBytes);
        gate.update({ stage: "fetch", doneBytes: bytes, totalBytes });
      });
      // A file takes each chunk as it comes, wherever it belongs; what is in order is only looked at then.
      arrivals.onChunk = file && (async (bytes, hash, sender) => {
        const offset = places?.(hash) ?? 0;
        await file.writeAt(offset, bytes);
        if (sender === undefined) return;
        lending?.add({ hash: Uint8Array.from(hash), offset, size: bytes.length });
      });
      let doneBytes = 0;
      let localBytes = 0;
      const pieces = readBlob(ref, this.#readOptions(arrivals, options, buffers));
      for await (const { bytes } of pieces) {
        const written = file === undefined ? sink.write(bytes) : Promise.resolve();
        written.catch(() => {}); // Awaited in a moment.
        if (whole !== undefined) await addToWhole(whole, bytes, doneBytes, reader, work);
        await written;
        doneBytes += bytes.length;
        const sender = arrivals.take(bytes);
        if (sender !== undefined) from.add(sender);
        else localBytes += bytes.length;
        arrivals.report();
        reader.done(bytes);
      }
      const hash = whole?.digest();
      if (isProof && hash !== undefined && !equalBytes(hash, target.hash)) {
        if (peer !== undefined) reader.book?.noteLie(peer);
        log.warn("blob_refused", { address: formatAddress(target.hash), manifest_of: idOf(peer) });
        throw wrongWhole(target, hash, peer);
      }
      if (target.kind === "address") this.#proven.add(target.hash, ref);
      gate.finish({ stage: "finish", doneBytes, totalBytes: doneBytes });
      signal.throwIfAborted();
      if (file !== undefined) lending?.moves(file.path);
      await sink.commit();
      store.counters.dataforts_blobs_fetched_total += 1;
      lending?.commit(keepsFetched?.() !== false);
      if (keepsFetched?.() === false) await reader.dropKept();
      return { address: hash && formatAddress(hash), size: doneBytes, from: [...from], localBytes };
    } finally {
      await lending?.discard();
      await Promise.all([sink.discard(), reader.settle()]);
    }
  }

  async *readRange(
    target: BlobTarget,
    wanted: WantedRange,
    options: ReadRangeOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal, keepsBytes = true } = options;
    const located = await this.locate(target, { signal });
    const { ref, peer, isSizeKnown } = located;
    const isProven = peer === undefined || target.kind !== "address" ||
      this.#proven.has(target.hash, ref);
    if (!isProven) {
      await this.#runGet(
        target,
        () => Promise.resolve(NOWHERE),
        { signal },
        true,
        located,
      );
    }
    const reader = this.#chunksFor(target);
    if (peer !== undefined) reader.book?.noteHolder(peer);
    try {
      if (ref.kind === "small" && !isSizeKnown) {
        const { bytes } = await reader.read(ref.hash, { signal });
        const { start, end } = rangeWithin(wanted, BigInt(bytes.length));
        yield bytes.subarray(Number(start), Number(end));
        return;
      }
      const range = rangeWithin(wanted, BigInt(ref.size));
      using buffers = keepsBytes ? undefined : new ChunkBuffers(GET_CHUNKS_MAX);
      const arrivals = new Arrivals(reader, buffers, () => {});
      const readOptions = { ...this.#readOptions(arrivals, options, buffers), range };
      for await (const { bytes } of readBlob(ref, readOptions)) {
        yield bytes;
        arrivals.take(bytes);
      }
      if (this.#deps.keepsFetched?.() === false) await reader.dropKept();
    } finally {
      await reader.settle();
    }
  }

  #chunksFor(
    target: BlobTarget,
    options: Pick<MeshChunksOptions, "get" | "peers" | "work" | "placeOf"> = {},
  ): MeshChunks {
    return new MeshChunks(this.#deps, {
      target: describeTarget(target),
      blobHash: target.kind === "address" ? target.hash : undefined,
      ...options,
    });
  }

  #readOptions(
    reader: ChunkReader,
    { signal, aheadBytes = GET_BYTES_MAX }: Pick<GetIntoOptions, "signal" | "aheadBytes">,
    buffers?: ChunkBuffers,
  ) {
    const { store, transfer, nodes, onRestored, work } = this.#deps;
    // Without a mesh everything there is is near.
    const near: ChunkReader = {
      read: (hash, expectedBytes) =>
        buffers === undefined || expectedBytes === undefined
          ? store.readChunk(hash)
          : buffers.readInto(
            expectedBytes,
            (into) => store.readChunk(hash, into),
            (bytes) => bytes,
          ),
    };
    return {
      reader,
      near: transfer === undefined ? undefined : near,
      nodes,
      onRestored,
      onUsed: buffers && ((bytes: Uint8Array) => buffers.giveBack(bytes)),
      work,
      aheadMax: GET_CHUNKS_MAX,
      aheadBytes,
      signal,
    };
  }

  async #isNode(hash: Uint8Array, size: number): Promise<boolean> {
    if (size > TREE_NODE_BYTES_MAX) return false;
    const bytes = await this.#deps.store.readChunk(hash);
    return bytes !== undefined && decodeTreeNode(bytes).ok;
  }
}

/** For bytes that are only hashed. */
const NOWHERE: BlobSink = {
  keepsBytes: false,
  write: () => Promise.resolve(),
  commit: () => Promise.resolve(),
  discard: () => Promise.resolve(),
};

/** Adds the next bytes of a blob to its hash, by parts that were hashed elsewhere where that can be. */
async function addToWhole(
  whole: Blake3,
  bytes: Uint8Array,
  start: number,
  reader: MeshChunks,
  work: WorkPool | undefined,
): Promise<void> {
  if (work === undefined || start === 0 || !isBlake3Subtree(bytes.length, start)) {
    return await updateInTurns(whole, bytes);
  }
  const subtree = reader.subtreeOf(bytes) ?? await work.subtree(bytes, start);
  whole.addSubtree(subtree, bytes.length);
}

function isOutputFile(sink: BlobSink): sink is OutputFile {
  return "partPath" in sink;
}

/** The part of a wanted range that there is. */
function rangeWithin({ start = 0n, end, last }: WantedRange, size: bigint): ByteRange {
  if (last !== undefined) return { start: last < size ? size - last : 0n, end: size };
  if (start <= size && (end === undefined || start <= end)) {
    return { start, end: end === undefined || end > size ? size : end };
  }
  throw new NetError(
    "usage",
    `Cannot read range: it begins at ${start}, the blob has ${size} bytes`,
    {
      next: "ask for bytes that are there",
    },
  );
}

/** True for a list of chunks of which none is there twice: each is read once. */
function areDistinct(ref: BlobRef): boolean {
  if (ref.kind !== "manifest") return false;
  return new Set(ref.chunks.map(({ hash }) => toHex(hash))).size === ref.chunks.length;
}

/** Tells where a chunk of a list lies in the whole; all but the last have the same size. */
function placesOf(ref: BlobRef): ((hash: Uint8Array) => number | undefined) | undefined {
  if (ref.kind !== "manifest") return undefined;
  const places = new Map(ref.chunks.map(({ hash }, i) => [toHex(hash), i * CHUNK_BYTES]));
  return (hash) => places.get(toHex(hash));
}

/** Chunks of a get: who sent them, and how many of their bytes are on their way or wait for their turn. */
class Arrivals implements ChunkReader {
  /** Takes a chunk before its turn; it has come when this resolves. */
  onChunk:
    | ((bytes: Uint8Array, hash: Uint8Array, sender: bigint | undefined) => Promise<void>)
    | undefined;
  readonly #chunks: MeshChunks;
  readonly #buffers: ChunkBuffers | undefined;
  readonly #onBytes: (waitingBytes: number) => void;
  /** Bytes in place of chunks that are still coming. */
  readonly #coming = new Map<string, number>();
  readonly #senders = new WeakMap<ArrayBufferLike, bigint | undefined>();
  #arrivedBytes = 0;

  constructor(
    chunks: MeshChunks,
    buffers: ChunkBuffers | undefined,
    onBytes: (waitingBytes: number) => void,
  ) {
    this.#chunks = chunks;
    this.#buffers = buffers;
    this.#onBytes = onBytes;
  }

  async read(
    hash: Uint8Array,
    expectedBytes?: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const key = toHex(hash);
    const onBytes = (received: number) => {
      this.#coming.set(key, received);
      this.report();
    };
    try {
      const read = (into?: Uint8Array<ArrayBuffer>) =>
        this.#chunks.read(hash, { expectedBytes, onBytes, into, signal });
      const { bytes, peer } = this.#buffers === undefined || expectedBytes === undefined
        ? await read()
        : await this.#buffers.readInto(expectedBytes, read, (chunk) => chunk.bytes);
      await this.onChunk?.(bytes, hash, peer);
      this.#senders.set(bytes.buffer, peer);
      this.#arrivedBytes += bytes.length;
      return bytes;
    } finally {
      this.#coming.delete(key);
    }
  }

  /** Bytes had their turn; who sent them, `undefined` when they were here. */
  take(bytes: Uint8Array): bigint | undefined {
    if (!this.#senders.has(bytes.buffer)) return undefined;
    this.#arrivedBytes = Math.max(0, this.#arrivedBytes - bytes.length);
    return this.#senders.get(bytes.buffer);
  }

  report(): void {
    let bytes = this.#arrivedBytes;
    for (const received of this.#coming.values()) bytes += received;
    this.#onBytes(bytes);
  }
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
