/** Stores in memory for tests of folders. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import {
  type BlobStore,
  CHUNK_BYTES,
  createBlobStore,
  createMemoryChunkStore,
  type FolderChunks,
  putFolder,
  type StoredFolder,
} from "../../../src/blob/mod.ts";
import { openLedger } from "../../../src/core/ledger/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

/** What a test of folders works with. */
export interface FolderParts {
  readonly store: BlobStore;
  readonly clock: ManualClock;
}

/** Runs `action` with an empty store in memory. */
export async function withStore<T>(
  action: (parts: FolderParts) => Promise<T>,
  bytesMax = 64 * CHUNK_BYTES,
): Promise<T> {
  const ledger = openLedger({ path: ":memory:" });
  try {
    const clock = new ManualClock();
    const chunks = createMemoryChunkStore({ bytesMax });
    const store = await createBlobStore({ ledger, chunks, clock, log: silentLog });
    return await action({ store, clock });
  } finally {
    await ledger.close();
  }
}

/** The bytes of a blob that is here. */
export async function readBlob(store: BlobStore, address: Uint8Array): Promise<Uint8Array> {
  const ref = await store.resolve(address);
  assert.ok(ref !== undefined && ref.kind !== "tree");
  const chunks = ref.kind === "small" ? [ref] : ref.chunks;
  const parts: number[] = [];
  for (const { hash } of chunks) {
    const bytes = await store.readChunk(hash);
    assert.ok(bytes !== undefined);
    for (const byte of bytes) parts.push(byte);
  }
  return Uint8Array.from(parts);
}

/** Puts a real folder into a store of its own. */
export function putIntoMemory(
  root: string,
): Promise<StoredFolder & { readonly manifest: Uint8Array }> {
  return withStore(async (parts) => {
    const put = await putFolder(parts, root);
    return { ...put, manifest: await readBlob(parts.store, put.stored.hash) };
  });
}

/** Chunks of a store alone. */
export function chunksOfStore(store: BlobStore): FolderChunks {
  return {
    read: async (hash) => {
      const bytes = await store.readChunk(hash);
      if (bytes === undefined) throw new NetError("not_found", "Cannot get blob: it is not here");
      return { bytes, peer: undefined };
    },
  };
}
