/** The store of a node as the flow of blobs sees it. */
import {
  type BlobStore,
  createSpillMemory,
  type FlowStore,
  holdsByOwner,
  oldestChunks,
  presentChunks,
  referredSizes,
} from "../../blob/mod.ts";
import { type Clock, toHex } from "../../base/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";

/** What {@linkcode createFlowStore} needs. */
export interface FlowStoreDeps {
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
}

/** A store, and which chunks it is adding at this moment. */
export interface NodeFlowStore extends FlowStore {
  /** True while the flow itself adds the chunk: nobody here fetched it. */
  isAdding(hash: Uint8Array): boolean;
}

/** Creates it over the parts of a node. */
export function createFlowStore({ clock, ledger, blobs }: FlowStoreDeps): NodeFlowStore {
  const { db } = ledger;
  const adding = new Set<string>();
  return {
    isAdding: (hash) => adding.has(toHex(hash)),
    room: () => blobs.room(),
    has: (hash) => blobs.hasChunk(hash),
    read: (hash) => blobs.readChunk(hash, undefined, { isQuiet: true }),
    add: async (hash, bytes) => {
      const hex = toHex(hash);
      adding.add(hex);
      try {
        return await blobs.addChunk(hash, bytes, { isDurable: true });
      } finally {
        adding.delete(hex);
      }
    },
    standing: (hash) => blobs.standingOf(hash),
    hold: (hashes, options) => blobs.hold(hashes, options),
    release: (owner, hashes) => blobs.release(owner, hashes),
    discard: (hash) => blobs.removeChunk(hash),
    oldest: async (options) => {
      await blobs.settle();
      return await oldestChunks(db, { ...options, nowMs: clock.wallMs() });
    },
    present: async (hashes) => {
      await blobs.settle();
      return await presentChunks(db, hashes);
    },
    sizes: (hashes) => referredSizes(db, hashes),
    drop: (hash) => blobs.dropCopy(hash),
    heldBy: (ownerPrefix) => holdsByOwner(db, ownerPrefix),
    spilled: createSpillMemory(ledger),
  };
}
