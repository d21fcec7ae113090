/**
 * Blob side of the Rust peer process: stores, references and fetches (`spec/dataforts.md` 2, 3, 7,
 * 12). References are built here, so that they don't depend on the code under test.
 */
import { blake3, createBLAKE3 } from "hash-wasm";
import { type RustAddon, type RustBlobAdapter, type RustMesh, toBuffer } from "./rust_addon.ts";
import {
  type BlobSource,
  type FetchedBlob,
  fillPattern,
  type StoredBlob,
} from "./rust_protocol.ts";

/** Chunk size of manifests. */
export const CHUNK_BYTES = 4 * 1024 * 1024;

/** The stores of one process, by handle. */
export interface BlobStores {
  /** Opens a store in memory, or in `folder` when given. */
  open(folder?: string): number;
  adapter(store: number): RustBlobAdapter;
  put(store: number, source: BlobSource): Promise<StoredBlob>;
  putTree(
    store: number,
    source: BlobSource,
    code?: { readonly data: number; readonly parity: number },
  ): Promise<StoredBlob>;
  has(store: number, ref: Uint8Array): Promise<boolean>;
  get(store: number, ref: Uint8Array, wantBytes: boolean): Promise<FetchedBlob>;
}

/** Makes the table of stores. */
export function makeBlobStores(addon: RustAddon): BlobStores {
  const adapters: RustBlobAdapter[] = [];
  const adapter = (store: number): RustBlobAdapter => {
    const found = adapters[store];
    if (found === undefined) throw new RangeError(`No store has the handle ${store}`);
    return found;
  };
  const decodeRef = (ref: Uint8Array) => addon.BlobRef.fromEncoded(toBuffer(ref));
  return {
    open(folder) {
      const redex = folder === undefined ? new addon.Redex() : new addon.Redex(folder);
      const options = { persistent: folder !== undefined };
      const id = `peer-store-${adapters.length}`;
      return adapters.push(new addon.MeshBlobAdapter(redex, id, options)) - 1;
    },
    adapter,
    async put(store, source) {
      const bytes = takeBytes(source);
      const hash = await hashBlob(bytes);
      const ref = await encodeRef(bytes, hash);
      const startMs = performance.now();
      await adapter(store).store(decodeRef(ref), toBuffer(bytes));
      const seconds = (performance.now() - startMs) / 1000;
      return { ref, hash, sizeBytes: bytes.length, seconds };
    },
    async putTree(store, source, code) {
      const bytes = takeBytes(source);
      const encoding = code === undefined
        ? addon.Encoding.replicated()
        : addon.Encoding.reedSolomon(code.data, code.parity);
      const startMs = performance.now();
      const ref = await adapter(store).storeStreamTreeFromBytes(toBuffer(bytes), encoding);
      const seconds = (performance.now() - startMs) / 1000;
      const hash = await hashBlob(bytes);
      return { ref: new Uint8Array(ref.encode()), hash, sizeBytes: bytes.length, seconds };
    },
    has: (store, ref) => adapter(store).exists(decodeRef(ref)),
    async get(store, ref, wantBytes) {
      return await timed(() => adapter(store).fetch(decodeRef(ref)), wantBytes);
    },
  };
}

/** Fetches over the mesh: from `peer`, or from whoever answers when there is none. */
export async function fetchBlob(
  addon: RustAddon,
  node: RustMesh,
  request: { readonly peer?: bigint; readonly ref: Uint8Array; readonly wantBytes?: boolean },
): Promise<FetchedBlob> {
  const ref = addon.BlobRef.fromEncoded(toBuffer(request.ref));
  const { peer } = request;
  const fetch = () =>
    peer === undefined ? node.fetchBlobDiscovered(ref) : node.fetchBlob(peer, ref);
  return await timed(fetch, request.wantBytes === true);
}

/** BLAKE3-256 of a whole blob. */
export async function hashBlob(bytes: Uint8Array): Promise<Uint8Array> {
  const hasher = await createBLAKE3();
  return hasher.init().update(bytes).digest("binary");
}

/** Encoded reference of `bytes`: Small up to one chunk, Manifest above. */
export async function encodeRef(bytes: Uint8Array, hash: Uint8Array): Promise<Uint8Array> {
  const uri = new TextEncoder().encode(`mesh://${hash.toHex()}`);
  const magic = [0xb0, 0xb1, 0xb2, 0xb3];
  if (bytes.length <= CHUNK_BYTES) {
    const size = new Uint8Array(8);
    new DataView(size.buffer).setBigUint64(0, BigInt(bytes.length), true);
    return Uint8Array.from([...magic, 1, ...hash, ...size, ...uri]);
  }
  const chunks: number[] = [];
  let chunkCount = 0;
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES, chunkCount++) {
    const chunk = bytes.subarray(start, start + CHUNK_BYTES);
    chunks.push(...Uint8Array.fromHex(await blake3(chunk)), ...varint(chunk.length));
  }
  const head = [...magic, 2, 1, ...varint(uri.length), ...uri, 0, ...varint(chunkCount)];
  return Uint8Array.from([...head, ...chunks, ...varint(bytes.length)]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return [...bytes, value];
}

function takeBytes(source: BlobSource): Uint8Array {
  if ("bytes" in source) return source.bytes;
  const bytes = new Uint8Array(source.sizeBytes);
  fillPattern(bytes, source.seed);
  return bytes;
}

async function timed(fetch: () => Promise<Uint8Array>, wantBytes: boolean): Promise<FetchedBlob> {
  const startMs = performance.now();
  const bytes = await fetch();
  const seconds = (performance.now() - startMs) / 1000;
  return {
    hash: await hashBlob(bytes),
    sizeBytes: bytes.length,
    seconds,
    bytes: wantBytes ? new Uint8Array(bytes) : null,
  };
}
