/** The blobs of a node, and of the mesh where it has not got them, as objects. */
import { concatBytes, NetError } from "../../base/mod.ts";
import {
  type BlobSink,
  type BlobStore,
  type ByteSource,
  CHUNK_BYTES,
  formatAddress,
  TRANSFER_BYTES_MAX,
} from "../../blob/mod.ts";
import type { BlobService } from "../../services/mod.ts";
import type { FoundObject, ObjectOptions, ObjectSource } from "./object_source.ts";

/** Objects that come from other nodes at once; each holds up to six chunks, 24 MiB. */
const MESH_READS_MAX = 8;

/** Read ahead of an object that is here: the chunk behind the one that goes out. */
const OWN_AHEAD_BYTES = CHUNK_BYTES;

interface Found extends FoundObject {
  /** All of it is described here. */
  readonly isOwn: boolean;
  readonly isOneChunk: boolean;
  /** All of it, where its length was not known before it came. */
  readonly bytes?: Uint8Array;
}

/** What {@linkcode createNodeObjects} needs. */
export interface NodeObjectsDeps {
  readonly blobs: Pick<BlobService, "locate" | "getInto" | "readRange" | "put">;
  readonly store: Pick<BlobStore, "counters" | "readChunk" | "room">;
}

/** Objects of a node. */
export function createNodeObjects(deps: NodeObjectsDeps): ObjectSource {
  return new NodeObjects(deps);
}

class NodeObjects implements ObjectSource {
  readonly #deps: NodeObjectsDeps;
  #meshReads = 0;

  constructor(deps: NodeObjectsDeps) {
    this.#deps = deps;
  }

  async find(hash: Uint8Array, { signal }: ObjectOptions): Promise<Found> {
    const target = { kind: "address", hash } as const;
    const { ref, peer, isSizeKnown } = await this.#deps.blobs.locate(target, { signal });
    const isOneChunk = ref.kind === "small";
    if (isSizeKnown) return { hash, size: Number(ref.size), isOwn: peer === undefined, isOneChunk };
    // One chunk, if anything: nobody says how long it is before all of it is here.
    const sink = new ChunkSink();
    const open = () => Promise.resolve(sink);
    await this.#overMesh(() => this.#deps.blobs.getInto(target, open, { signal }));
    return { hash, size: sink.bytes.length, isOwn: false, isOneChunk, bytes: sink.bytes };
  }

  async readShort(object: Found): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!object.isOwn || !object.isOneChunk) return undefined;
    const { store } = this.#deps;
    const bytes = await store.readChunk(object.hash);
    if (bytes?.length !== object.size) return undefined;
    store.counters.dataforts_blobs_fetched_total += 1;
    return bytes;
  }

  async read(object: Found, sink: BlobSink, { signal }: ObjectOptions): Promise<void> {
    const { hash, bytes, isOwn } = object;
    if (bytes !== undefined) {
      await sink.write(bytes);
      return await sink.commit();
    }
    const open = () => Promise.resolve(sink);
    const aheadBytes = isOwn ? OWN_AHEAD_BYTES : undefined;
    const options = { aheadBytes, signal };
    const read = () => this.#deps.blobs.getInto({ kind: "address", hash }, open, options);
    try {
      await (isOwn ? read() : this.#overMesh(read));
    } catch (error) {
      throw describe(error, object);
    }
  }

  async *readRange(
    object: Found,
    start: number,
    end: number,
    { signal }: ObjectOptions,
  ): AsyncGenerator<Uint8Array> {
    const { hash, bytes, isOwn } = object;
    if (bytes !== undefined) {
      yield bytes.subarray(start, end);
      return;
    }
    const leave = isOwn ? () => {} : this.#enterMesh();
    const range = { start: BigInt(start), end: BigInt(end) };
    const aheadBytes = isOwn ? OWN_AHEAD_BYTES : undefined;
    const options = { aheadBytes, keepsBytes: false, signal };
    try {
      yield* this.#deps.blobs.readRange({ kind: "address", hash }, range, options);
    } catch (error) {
      throw describe(error, object);
    } finally {
      leave();
    }
  }

  async put(source: ByteSource, { signal }: ObjectOptions) {
    const { address, size } = await this.#deps.blobs.put(source, { signal });
    return { address, size };
  }

  freeBytes(): number {
    return this.#deps.store.room().freeBytes;
  }

  async #overMesh<T>(read: () => Promise<T>): Promise<T> {
    const leave = this.#enterMesh();
    try {
      return await read();
    } finally {
      leave();
    }
  }

  #enterMesh(): () => void {
    if (this.#meshReads >= MESH_READS_MAX) {
      throw new NetError(
        "limit",
        `Cannot get object: ${MESH_READS_MAX} others are coming from other nodes`,
        { next: "try again in a moment" },
      );
    }
    this.#meshReads += 1;
    return () => this.#meshReads -= 1;
  }
}

/** Keeps one chunk. */
class ChunkSink implements BlobSink {
  bytes = new Uint8Array(0);

  write(bytes: Uint8Array): Promise<void> {
    // Whoever gives more lies about what it gave.
    if (this.bytes.length + bytes.length > TRANSFER_BYTES_MAX) {
      return Promise.reject(
        new NetError("integrity", "Cannot get object: it is more than a chunk"),
      );
    }
    this.bytes = concatBytes(this.bytes, bytes);
    return Promise.resolve();
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }
}

/** What is listed here and cannot be read, here or elsewhere, is damage; else the failure as it is. */
function describe(error: unknown, object: Found): unknown {
  if (!object.isOwn || !(error instanceof NetError) || error.code !== "not_found") return error;
  return new NetError(
    "integrity",
    `Cannot give ${formatAddress(object.hash)}: this node's copy is damaged, and no other has it`,
    { cause: error, next: "put the blob again" },
  );
}
