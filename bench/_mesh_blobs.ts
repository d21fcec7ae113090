/** Blob operations of a benchmark's process: a store in memory, put, and fetches that verify. */
import { systemClock, systemRandom } from "../src/base/mod.ts";
import {
  type BlobStore,
  type BlobTransfer,
  createBlobStore,
  createBlobTransfer,
  createMemoryChunkStore,
  decodeBlobRef,
} from "../src/blob/mod.ts";
import { openLedger } from "../src/core/ledger/mod.ts";
import type { MeshTransport } from "../src/core/transport/mod.ts";
import { silentLog } from "../src/observe/mod.ts";

const MEMORY_BYTES_MAX = 2 * 1024 ** 3;
/** As many as a get keeps in flight. */
const CHUNKS_IN_FLIGHT = 4;

/** Blobs of one process. */
export interface MeshBlobs {
  /** Stores `sizeBytes` of a pattern; seconds include hashing. */
  put(sizeBytes: number): Promise<{ blobRef: Uint8Array; seconds: number }>;
  /** Fetches every chunk of a blob from peers and drops it once verified. */
  fetch(blobRef: Uint8Array): Promise<{ sizeBytes: number; seconds: number }>;
}

/** Opens an empty store and serves it. */
export async function openMeshBlobs(link: MeshTransport): Promise<MeshBlobs> {
  const store: BlobStore = await createBlobStore({
    ledger: openLedger({ path: ":memory:" }),
    chunks: createMemoryChunkStore({ bytesMax: MEMORY_BYTES_MAX }),
    clock: systemClock,
    log: silentLog,
  });
  const transfer = createBlobTransfer({
    link,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    source: store,
  });
  transfer.start();
  return {
    put: async (sizeBytes) => {
      const source = patternSource(sizeBytes);
      const startMs = performance.now();
      const { blobRef } = await store.put(source);
      return { blobRef, seconds: (performance.now() - startMs) / 1000 };
    },
    fetch: (blobRef) => fetchAll(transfer, blobRef),
  };
}

async function fetchAll(transfer: BlobTransfer, blobRef: Uint8Array) {
  const decoded = decodeBlobRef(blobRef);
  if (!decoded.ok || decoded.ref.kind !== "manifest") throw new Error("A manifest is needed");
  const { chunks, size } = decoded.ref;
  const book = transfer.createBook();
  let next = 0;
  const startMs = performance.now();
  const work = async () => {
    for (let chunk = chunks[next++]; chunk !== undefined; chunk = chunks[next++]) {
      await transfer.fetchChunk(chunk.hash, { book, expectedBytes: chunk.size });
    }
  };
  await Promise.all(Array.from({ length: CHUNKS_IN_FLIGHT }, work));
  return { sizeBytes: size, seconds: (performance.now() - startMs) / 1000 };
}

/** Bytes that differ from chunk to chunk and cost next to nothing to make. */
function patternSource(sizeBytes: number) {
  const block = crypto.getRandomValues(new Uint8Array(65_536));
  let at = 0;
  return {
    read: (into: Uint8Array) => {
      if (at >= sizeBytes) return Promise.resolve(null);
      const length = Math.min(block.length, into.length, sizeBytes - at);
      into.set(block.subarray(0, length));
      new DataView(into.buffer, into.byteOffset).setUint32(0, at, true);
      at += length;
      return Promise.resolve(length);
    },
  };
}
