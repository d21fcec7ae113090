/** A blob store over memory and a clock that stands still, for tests. */
import {
  type BlobStore,
  CHUNK_BYTES,
  type ChunkStore,
  createBlobStore,
  createMemoryChunkStore,
} from "../../src/blob/mod.ts";
import { blake3 } from "../../src/core/crypto/mod.ts";
import { type Ledger, openLedger } from "../../src/core/ledger/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";
import { seededBytes } from "./sources.ts";

/** What a test works with. */
export interface StoreParts {
  readonly store: BlobStore;
  readonly chunks: ChunkStore;
  readonly ledger: Ledger;
  readonly clock: ManualClock;
}

/** Runs `action` on an empty store. */
export async function withStore(
  action: (parts: StoreParts) => Promise<void>,
  chunks: ChunkStore = createMemoryChunkStore({ bytesMax: 64 * CHUNK_BYTES }),
): Promise<void> {
  const ledger = openLedger({ path: ":memory:" });
  try {
    const clock = new ManualClock();
    const store = await createBlobStore({ ledger, chunks, clock, log: silentLog });
    await action({ store, chunks, ledger, clock });
  } finally {
    await ledger.close();
  }
}

/** Adds a seeded chunk that no blob refers to; its hash. */
export async function addLoose(
  store: BlobStore,
  seed: number,
  length = 100,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = seededBytes(length, seed);
  const hash = blake3(bytes);
  await store.addChunk(hash, bytes, { isDurable: true });
  return hash;
}

/** Waits for `work`, moving time on by nothing as often as it asks for a pause. */
export async function whilePausing<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => isDone = true);
  done.catch(() => {}); // The caller gets it.
  while (!isDone) {
    await clock.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await done;
}
