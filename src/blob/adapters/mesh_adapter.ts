/**
 * The node's own store as an adapter, scheme `mesh` (`dataforts.md` 7 and 8).
 *
 * It knows what is here; nothing is fetched from peers. A blob longer than a chunk is kept in chunks, whatever its
 * reference says: it is found by the hash of the whole. Of a tree ranges are given, not the whole at once. Deleting
 * does nothing: chunks are collected.
 */
import { equalBytes, NetError } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { BlobRef, ChunkRef, ManifestRef, SmallRef } from "../blob_ref.ts";
import type { BlobStore } from "../blob_store.ts";
import type { ByteSource } from "../byte_source.ts";
import { CHUNK_BYTES } from "../limits.ts";
import { type ChunkReader, readBlob } from "../read/mod.ts";
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
  readonly #reader: ChunkReader;

  constructor(id: string, store: MeshAdapterDeps["store"]) {
    this.id = id;
    this.#store = store;
    this.#reader = { read: (hash) => store.readChunk(hash) };
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
    if (ref.kind === "tree") throw noTree("fetch");
    const own = await this.#ownRef(ref);
    const size = Number(own.size);
    if (size > MESH_FETCH_BYTES_MAX) throw tooMuch(size, MESH_FETCH_BYTES_MAX);
    return await this.#read(own, 0, size, signal);
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
    const own = await this.#ownRef(ref);
    requireRange(start, end, Number(own.size));
    return await this.#read(own, start, end, signal);
  }

  async *fetchStream(
    ref: BlobRef,
    { signal }: AdapterCallOptions = {},
  ): AsyncGenerator<Uint8Array> {
    const own = await this.#ownRef(ref);
    try {
      for await (const { bytes } of readBlob(own, { reader: this.#reader, signal })) yield bytes;
    } catch (error) {
      throw toAdapterError(error, own);
    }
  }

  async exists(ref: BlobRef): Promise<boolean> {
    try {
      const own = await this.#ownRef(ref);
      for (const { hash } of chunksToFind(own)) {
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
    if (ref.encoding.kind !== "replicated") {
      throw new BlobAdapterError("decode", "Cannot store blob: only trees have parity");
    }
    if (bytes.length <= CHUNK_BYTES) {
      throw new BlobAdapterError(
        "decode",
        `Cannot store blob: it has ${bytes.length} bytes, of which no manifest is made`,
        { next: "use a reference of one chunk" },
      );
    }
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

  /** The reference by which the blob is kept here; the size of a Small is that of its chunk. */
  async #ownRef(ref: BlobRef): Promise<BlobRef> {
    if (ref.kind !== "small") return ref;
    const size = await this.#store.hasChunk(ref.hash);
    if (size !== undefined) return { ...ref, size };
    const own = await this.#store.resolve(ref.hash);
    if (own === undefined || own.kind === "small") throw blobNotFound(ref);
    return own;
  }

  async #read(
    ref: BlobRef,
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const taken = new Uint8Array(end - start);
    const range = { start: BigInt(start), end: BigInt(end) };
    try {
      for await (const piece of readBlob(ref, { reader: this.#reader, range, signal })) {
        taken.set(piece.bytes, Number(piece.offset) - start);
      }
    } catch (error) {
      throw toAdapterError(error, ref);
    }
    return taken;
  }
}

/** What must be here for a blob to be here: of a tree its root, which may still lack what is below. */
function chunksToFind(ref: BlobRef): readonly { readonly hash: Uint8Array }[] {
  if (ref.kind === "tree") return [{ hash: ref.rootHash }];
  return ref.kind === "manifest" ? ref.chunks : [ref];
}

function toAdapterError(error: unknown, ref: BlobRef): unknown {
  if (!(error instanceof NetError) || error instanceof BlobAdapterError) return error;
  if (error.code === "not_found") return blobNotFound(ref);
  if (error.code !== "integrity") return error;
  return new BlobAdapterError("decode", error.message, { cause: error, next: error.next });
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
    next: "read it in ranges, or use net blob get",
  });
}

function tooMuch(bytes: number, bytesMax: number): BlobAdapterError {
  return new BlobAdapterError(
    "limit",
    `Cannot read ${bytes} bytes at once: at most ${bytesMax} are given`,
    { next: "read it in smaller ranges" },
  );
}
