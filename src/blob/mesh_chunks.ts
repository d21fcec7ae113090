/**
 * Chunks from here or from the mesh: what gets and ranged reads are made of (`decisions.md` 15,
 * `promises.md` D2 and 46).
 *
 * A chunk that was fetched is kept in the store as one that nothing refers to: that is what an interrupted get
 * goes on from. A chunk that a blob here refers to and that is gone comes back the same way.
 */
import { NetError, toHex, toNetError } from "../base/mod.ts";
import { isBlake3Subtree } from "../core/crypto/mod.ts";
import type { Log } from "../observe/mod.ts";
import type { HolderBook } from "./_holder_book.ts";
import type { BlobStore } from "./blob_store.ts";
import { KEEP_WRITES_MAX } from "./limits.ts";
import type { BlobTransfer } from "./transfer.ts";
import type { GetEntry } from "./transfer_registry.ts";
import type { ChunkBuffers } from "./transfer_requester.ts";
import type { WorkPool } from "./work/mod.ts";

/** What {@linkcode MeshChunks} needs. */
export interface MeshChunksDeps {
  readonly store: BlobStore;
  /** `undefined` where there is no mesh: then only what is here can be had. */
  readonly transfer: BlobTransfer | undefined;
  readonly log: Log;
}

/** Options of {@linkcode MeshChunks}. */
export interface MeshChunksOptions {
  /** What is read, for messages: an address, or `a blob`. */
  readonly target: string;
  /** Hash under which holders may be known as well: that of the blob. */
  readonly blobHash?: Uint8Array;
  /** The get this is for. */
  readonly get?: GetEntry;
  /** Asks only these. */
  readonly peers?: readonly bigint[];
  /** False does not keep what was fetched; true when left out. */
  readonly isKeeping?: boolean;
  /**
   * Who hashes, and whose buffers are used again: then `done` is called once for each chunk that was read, and no
   * chunk is read twice at once.
   */
  readonly work?: WorkPool;
  /** Place of a chunk in the whole: `subtreeOf` has its part in the hash of that, made along with its own. */
  readonly placeOf?: (hash: Uint8Array) => number | undefined;
}

/** Options of {@linkcode MeshChunks.read}. */
export interface ReadMeshChunkOptions {
  /** What the chunk must measure, if known. */
  readonly expectedBytes?: number;
  /** Told the bytes in place while it comes. */
  readonly onBytes?: (receivedBytes: number) => void;
  /** Where to read a chunk that is here, when it fits. */
  readonly into?: Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
}

/** A chunk, verified. */
export interface MeshChunk {
  /** Not to be changed: it may still be on its way to the store. */
  readonly bytes: Uint8Array;
  /** Who sent it; `undefined` when it was here. */
  readonly peer: bigint | undefined;
}

/** Reads the chunks of one blob. */
export class MeshChunks {
  readonly book: HolderBook | undefined;
  readonly #deps: MeshChunksDeps;
  readonly #options: MeshChunksOptions;
  readonly #writes = new Set<Promise<void>>();
  readonly #kept: Uint8Array[] = [];
  /** Buffers of the pool that are in use: by the reader, and on the way to the store. */
  readonly #uses = new Map<ArrayBufferLike, { readonly buffer: Uint8Array; count: number }>();
  readonly #buffers: ChunkBuffers | undefined;
  /** Parts in the hash of the whole of what was verified last in each buffer. */
  readonly #subtrees = new WeakMap<ArrayBufferLike, Uint8Array<ArrayBuffer>>();
  /** False when what is fetched is not to be kept, or somebody else does. */
  isKeeping: boolean;

  constructor(deps: MeshChunksDeps, options: MeshChunksOptions) {
    this.#deps = deps;
    this.#options = options;
    this.isKeeping = options.isKeeping ?? true;
    this.book = deps.transfer?.createBook();
    const { work } = options;
    this.#buffers = work && {
      take: (length) => work.takeBuffer(length),
      hash: (bytes, wanted) => this.#hash(work, bytes, wanted),
    };
  }

  /** Chunks that were fetched and are kept now. */
  get kept(): readonly Uint8Array[] {
    return this.#kept;
  }

  /**
   * A chunk, from here or from whoever has it.
   *
   * @throws NetError as `BlobTransfer.fetchChunk`; `not_found` when it is not here and there is no mesh.
   */
  async read(hash: Uint8Array, options: ReadMeshChunkOptions = {}): Promise<MeshChunk> {
    const { store, transfer } = this.#deps;
    const { target, blobHash, get, peers } = this.#options;
    const { expectedBytes, signal } = options;
    signal?.throwIfAborted();
    const own = await store.readChunk(hash, options.into);
    if (own !== undefined && (expectedBytes === undefined || own.length === expectedBytes)) {
      get?.got(own.length, undefined);
      return { bytes: own, peer: undefined };
    }
    if (transfer === undefined) throw chunkNotFound(target, "this node does not hold all of it");
    try {
      const { book } = this;
      const buffers = this.#buffers;
      const ways = { book, blobHash, get, peers, buffers };
      const fetched = await transfer.fetchChunk(hash, { ...options, ...ways });
      get?.got(fetched.bytes.length, fetched.peer);
      // Those of attempts that came to nothing may still be written to, and are left to the collector.
      if (buffers !== undefined) {
        const buffer = new Uint8Array(fetched.bytes.buffer);
        this.#uses.set(buffer.buffer, { buffer, count: 1 });
      }
      await this.#keep(hash, fetched.bytes);
      return fetched;
    } catch (error) {
      if (!(error instanceof NetError) || signal?.aborted) throw error;
      if (error.code === "not_found") {
        throw chunkNotFound(target, "no connected node has it", error);
      }
      const reason = error.message.replace(/^Cannot fetch /, "");
      throw new NetError(error.code, `Cannot get blob ${target}: ${reason}`, {
        cause: error,
        next: error.next,
        data: error.data,
      });
    }
  }

  /** What `Blake3.addSubtree` takes of a chunk that was read; `undefined` when nobody made it. */
  subtreeOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    return this.#uses.has(bytes.buffer) ? this.#subtrees.get(bytes.buffer) : undefined;
  }

  /** Says that a chunk is not looked at any more. */
  done(bytes: Uint8Array): void {
    const use = this.#uses.get(bytes.buffer);
    if (use === undefined || --use.count > 0) return;
    this.#uses.delete(bytes.buffer);
    this.#options.work?.giveBack(use.buffer);
  }

  /** Waits until everything that was fetched is in the store. */
  async settle(): Promise<void> {
    await Promise.all(this.#writes);
  }

  /** Removes again what was fetched, unless something refers to it by now. */
  async dropKept(): Promise<void> {
    await this.settle();
    for (const hash of this.#kept.splice(0)) await this.#deps.store.removeChunk(hash);
  }

  async #hash(work: WorkPool, bytes: Uint8Array, wanted: Uint8Array): Promise<Uint8Array> {
    this.#subtrees.delete(bytes.buffer);
    const place = this.#options.placeOf?.(wanted) ?? 0;
    const start = place > 0 && isBlake3Subtree(bytes.length, place) ? place : undefined;
    const { hash, value } = await work.hash(bytes, start);
    if (value !== undefined) this.#subtrees.set(bytes.buffer, value);
    return hash;
  }

  /** Begins to store a chunk; waits while too many are on their way. */
  async #keep(hash: Uint8Array, bytes: Uint8Array): Promise<void> {
    while (this.isKeeping && this.#writes.size >= KEEP_WRITES_MAX) {
      await Promise.race(this.#writes);
    }
    if (!this.isKeeping) return;
    const { store, log } = this.#deps;
    const use = this.#uses.get(bytes.buffer);
    if (use !== undefined) use.count += 1;
    const write: Promise<void> = (async () => {
      try {
        if (bytes.length > store.room().freeBytes) throw noRoom();
        if (await store.addChunk(hash, bytes) === "stored") this.#kept.push(hash);
      } catch (error) {
        // The reader gets its bytes all the same; only an interruption would cost more.
        if (this.isKeeping) {
          const { message } = toNetError(error, "Cannot keep chunk");
          log.warn("chunk_not_kept", {
            hash: toHex(hash),
            reason: message,
            hint: "the get goes on, but could not be resumed: free some space",
          });
        }
        this.isKeeping = false;
      }
    })();
    this.#writes.add(write);
    void write.then(() => {
      this.#writes.delete(write);
      this.done(bytes);
    });
  }
}

function noRoom(): NetError {
  return new NetError("no_space", "Cannot keep chunk: the store is full");
}

function chunkNotFound(target: string, reason: string, cause?: unknown): NetError {
  return new NetError("not_found", `Cannot get blob ${target}: ${reason}`, {
    cause,
    next: "check the address, and connect to a node that holds it with net node start --join",
  });
}
