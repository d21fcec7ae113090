/** The blobs of a node, and of the mesh where it has not got them, as objects. */
import { NetError } from "../../base/mod.ts";
import {
  type BlobRef,
  type BlobSink,
  type BlobStore,
  type ByteSource,
  formatAddress,
} from "../../blob/mod.ts";
import type { BlobService } from "../../services/mod.ts";
import type { FoundObject, ObjectOptions, ObjectSource } from "./object_source.ts";

/** Objects that come from other nodes at once; each holds up to six chunks, 24 MiB. */
const MESH_READS_MAX = 8;

interface Found extends FoundObject {
  /** Of an object that is here. */
  readonly own: BlobRef | undefined;
}

/** What {@linkcode createNodeObjects} needs. */
export interface NodeObjectsDeps {
  readonly blobs: Pick<BlobService, "locate" | "getInto" | "put" | "readRange">;
  readonly store: Pick<BlobStore, "resolve" | "readChunk" | "room">;
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
    const own = await this.#deps.store.resolve(hash);
    if (own !== undefined) return { hash, size: Number(own.size), own };
    const located = await this.#deps.blobs.locate({ kind: "address", hash }, { signal });
    const isOwn = located.peer === undefined && located.isSizeKnown;
    const size = located.isSizeKnown ? Number(located.ref.size) : undefined;
    return { hash, size, own: isOwn ? located.ref : undefined };
  }

  async read(object: Found, sink: BlobSink, { signal }: ObjectOptions): Promise<void> {
    const isOwn = object.own !== undefined;
    const read = () =>
      this.#deps.blobs.getInto(
        { kind: "address", hash: object.hash },
        () => Promise.resolve(sink),
        {
          signal,
        },
      );
    try {
      await (isOwn ? read() : this.#overMesh(read));
    } catch (error) {
      if (isOwn && error instanceof NetError && error.code === "not_found") {
        throw damaged(object, error);
      }
      throw error;
    }
  }

  async *readRange(
    object: Found,
    start: number,
    end: number,
    { signal }: ObjectOptions,
  ): AsyncGenerator<Uint8Array> {
    const { own } = object;
    if (own === undefined) {
      throw new NetError("not_found", "Cannot read range: the object is not here");
    }
    if (own.kind === "tree") {
      const range = { start: BigInt(start), end: BigInt(end) };
      yield* this.#deps.blobs.readRange({ kind: "address", hash: object.hash }, range, { signal });
      return;
    }
    const chunks = own.kind === "small" ? [{ hash: own.hash, size: own.size }] : own.chunks;
    let at = 0;
    for (const { hash, size } of chunks) {
      const [from, to] = [Math.max(start - at, 0), Math.min(end - at, size)];
      at += size;
      if (from >= to) continue;
      signal.throwIfAborted();
      const chunk = await this.#deps.store.readChunk(hash);
      if (chunk === undefined || chunk.length !== size) throw damaged(object);
      yield chunk.subarray(from, to);
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
    if (this.#meshReads >= MESH_READS_MAX) {
      throw new NetError(
        "limit",
        `Cannot get object: ${MESH_READS_MAX} others are coming from other nodes`,
        { next: "try again in a moment" },
      );
    }
    this.#meshReads += 1;
    try {
      return await read();
    } finally {
      this.#meshReads -= 1;
    }
  }
}

function damaged(object: FoundObject, cause?: unknown): NetError {
  return new NetError(
    "integrity",
    `Cannot give ${formatAddress(object.hash)}: this node's copy is damaged, and no other has it`,
    { cause, next: "put the blob again" },
  );
}
