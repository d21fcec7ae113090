/**
 * The node's own store as an adapter, scheme `mesh` (`dataforts.md` 7 and 8).
 *
 * It knows what is here; nothing is fetched from peers. A blob longer than a chunk is kept in chunks, whatever its
 * reference says: it is found by the hash of the whole. Deleting does nothing: chunks are collected.
 */
import { equalBytes } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import { formatAddress } from "../address.ts";
import type { BlobRef, ChunkRef, ManifestRef, SmallRef } from "../blob_ref.ts";
import type { BlobStore } from "../blob_store.ts";
import type { ByteSource } from "../byte_source.ts";
import {
  type AdapterCallOptions,
  type BlobAdapter,
  BlobAdapterError,
  blobHashMismatch,
  blobNotFound,
  requireRange,
} from "./adapter.ts";

/** Most of a blob that is given at once (`dataforts.md` 7). */
export const MESH_FETCH_BYTES_MAX = 256 * 1024 * 1024;
export const MESH_RANGE_BYTES_MAX = 1024 ** 3;

/** What {@linkcode createMeshAdapter} needs. */
export interface MeshAdapterDeps {
  readonly id: string;
  readonly store: Pick<
    BlobStore,
    "begin" | "put" | "resolve" | "hasChunk" | "readChunk" | "remove"
  >;
}

/** Creates the adapter over a store. */
export function createMeshAdapter({ id, store }: MeshAdapterDeps): BlobAdapter {
  return new MeshAdapter(id, store);
}

class MeshAdapter implements BlobAdapter {
  readonly schemes = ["mesh"];
  readonly id: string;
  readonly #store: MeshAdapterDeps["store"];

  constructor(id: string, store: MeshAdapterDeps["store"]) {
    this.id = id;
    this.#store = store;
  }

  async store(ref: BlobRef, bytes: Uint8Array, options: AdapterCallOptions = {}): Promise<void> {
    if (ref.kind === "tree") throw noTree("store");
    if (bytes.length !== ref.size) {
      throw new BlobAdapterError(
        "decode",
        `Cannot store blob: it has ${bytes.length} bytes, its reference says ${ref.size}`,
      );
    }
    if (ref.kind === "manifest") return await this.#storeManifest(ref, bytes);
    const actual = blake3(bytes);
    if (!equalBytes(actual, ref.hash)) throw blobHashMismatch(ref.hash, actual);
    await this.#store.put(sourceOf(bytes), options);
  }

  async storeStream(
    ref: SmallRef,
    source: ByteSource,
    options: AdapterCallOptions = {},
  ): Promise<void> {
    const before = await this.#store.resolve(ref.hash);
    const { hash } = await this.#store.put(source, options);
    if (equalBytes(hash, ref.hash)) return;
    // What came is a blob too, but nobody asked for it; one that was here before keeps its record.
    if (before === undefined) await this.#store.remove(hash);
    throw blobHashMismatch(ref.hash, hash);
  }

  async fetch(ref: BlobRef, { signal }: AdapterCallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const chunks = await this.#chunksOf(ref);
    const size = sizeOf(chunks);
    if (size > MESH_FETCH_BYTES_MAX) throw tooMuch(size, MESH_FETCH_BYTES_MAX);
    return await this.#read(ref, chunks, 0, size, signal);
  }

  async fetchRange(
    ref: BlobRef,
    start: number,
    end: number,
    { signal }: AdapterCallOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    requireRange(start, end);
    if (start === end) return new Uint8Array(0);
    if (end - start > MESH_RANGE_BYTES_MAX) throw tooMuch(end - start, MESH_RANGE_BYTES_MAX);
    const chunks = await this.#chunksOf(ref);
    requireRange(start, end, sizeOf(chunks));
    return await this.#read(ref, chunks, start, end, signal);
  }

  async *fetchStream(
    ref: BlobRef,
    { signal }: AdapterCallOptions = {},
  ): AsyncGenerator<Uint8Array> {
    for (const chunk of await this.#chunksOf(ref)) {
      signal?.throwIfAborted();
      yield await this.#readChunk(ref, chunk);
    }
  }

  async exists(ref: BlobRef): Promise<boolean> {
    if (ref.kind === "tree") return await this.#store.hasChunk(ref.rootHash) !== undefined;
    try {
      for (const { hash } of await this.#chunksOf(ref)) {
        if (await this.#store.hasChunk(hash) === undefined) return false;
      }
      return true;
    } catch (error) {
      if (error instanceof BlobAdapterError && error.kind === "not_found") return false;
      throw error;
    }
  }

  delete(): Promise<void> {
    return Promise.resolve();
  }

  async #storeManifest(ref: ManifestRef, bytes: Uint8Array): Promise<void> {
    // Everything is looked at before anything is written.
    const pieces = [...piecesOf(ref.chunks, bytes)];
    for (const { chunk, piece } of pieces) {
      const actual = blake3(piece);
      if (!equalBytes(actual, chunk.hash)) throw blobHashMismatch(chunk.hash, actual);
    }
    const draft = this.#store.begin();
    try {
      for (const { chunk, piece } of pieces) await draft.putChunk(chunk.hash, piece);
      const { size, chunks } = ref;
      await draft.commit({ address: blake3(bytes), ref, size, chunks, kind: "blob" });
    } finally {
      await draft.abort();
    }
  }

  /** The chunks of a blob that is here. */
  async #chunksOf(ref: BlobRef): Promise<readonly ChunkRef[]> {
    if (ref.kind === "tree") throw noTree("read");
    if (ref.kind === "manifest") return ref.chunks;
    const size = await this.#store.hasChunk(ref.hash);
    if (size !== undefined) return [{ hash: ref.hash, size }];
    const own = await this.#store.resolve(ref.hash);
    if (own?.kind === "manifest") return own.chunks;
    throw blobNotFound(ref);
  }

  async #read(
    ref: BlobRef,
    chunks: readonly ChunkRef[],
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const taken = new Uint8Array(end - start);
    let at = 0;
    for (const chunk of chunks) {
      const [from, to] = [Math.max(start - at, 0), Math.min(end - at, chunk.size)];
      if (from < to) {
        signal?.throwIfAborted();
        const bytes = await this.#readChunk(ref, chunk);
        taken.set(bytes.subarray(from, to), at + from - start);
      }
      at += chunk.size;
    }
    return taken;
  }

  async #readChunk(ref: BlobRef, chunk: ChunkRef): Promise<Uint8Array> {
    const bytes = await this.#store.readChunk(chunk.hash);
    if (bytes === undefined) throw blobNotFound(ref);
    if (bytes.length === chunk.size) return bytes;
    throw new BlobAdapterError(
      "decode",
      `Cannot use chunk ${formatAddress(chunk.hash)}: it has ${bytes.length} bytes, ` +
        `its reference says ${chunk.size}`,
    );
  }
}

function* piecesOf(
  chunks: readonly ChunkRef[],
  bytes: Uint8Array,
): Generator<{ readonly chunk: ChunkRef; readonly piece: Uint8Array }> {
  let at = 0;
  for (const chunk of chunks) {
    yield { chunk, piece: bytes.subarray(at, at + chunk.size) };
    at += chunk.size;
  }
}

function sizeOf(chunks: readonly ChunkRef[]): number {
  return chunks.reduce((sum, { size }) => sum + size, 0);
}

/** Gives bytes once. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  let at = 0;
  return {
    read: (into) => {
      const piece = bytes.subarray(at, at + into.length);
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length === 0 ? null : piece.length);
    },
  };
}

function noTree(action: string): BlobAdapterError {
  return new BlobAdapterError("small_only", `Cannot ${action} a tree at once`, {
    next: "use net blob get, which reads trees",
  });
}

function tooMuch(bytes: number, bytesMax: number): BlobAdapterError {
  return new BlobAdapterError(
    "limit",
    `Cannot read ${bytes} bytes at once: at most ${bytesMax} are given`,
    { next: "read it in smaller ranges" },
  );
}
