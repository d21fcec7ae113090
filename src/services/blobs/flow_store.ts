/** The store of a node as the flow of blobs sees it. */
import {
  type AgePlace,
  type BlobStore,
  candidateChunks,
  createSpillMemory,
  type FlowStore,
  holdsByOwner,
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

/** Looks at chunks by age in one call: 16,384 of them. */
const LOOKS_MAX = 8;

/** Creates it over the parts of a node. */
export function createFlowStore({ clock, ledger, blobs }: FlowStoreDeps): NodeFlowStore {
  const { db } = ledger;
  const adding = new Set<string>();
  let after: AgePlace | undefined;
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
    oldest: async ({ limit, isReferredToo }) => {
      await blobs.settle();
      const chosen: { readonly hash: Uint8Array; readonly size: number }[] = [];
      for (let looks = 0; looks < LOOKS_MAX && chosen.length < limit; looks++) {
        // A large store is looked through over many calls, with other work between the looks.
        if (looks > 0) await new Promise<void>((resolve) => clock.soon(resolve));
        const nowMs = clock.wallMs();
        const { found, next } = await candidateChunks(db, { after, isReferredToo, nowMs });
        const taken = found.slice(0, limit - chosen.length);
        chosen.push(...taken);
        after = taken.length < found.length ? taken.at(-1) : next;
        if (after === undefined) break;
      }
      return chosen;
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
