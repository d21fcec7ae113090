/** A lost chunk from the parity of a blob that it is part of (`dataforts.md` 6). */
import { equalBytes, NetError } from "../../base/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { BlobStore } from "../blob_store.ts";
import { readReferrers } from "../chunk_queries.ts";
import { readStripeChunk } from "../erasure/restore.ts";
import { walkTreeNodes } from "../tree/tree_walk.ts";

/** Blobs that are looked at for one chunk. */
const REFERRERS_MAX = 16;

/** What {@linkcode chunkFromParity} needs. */
export interface ChunkFromParityDeps {
  readonly db: LedgerDb;
  readonly blobs: Pick<BlobStore, "resolve" | "readChunk">;
}

/** The bytes of a chunk, made from others that are here; `undefined` when those are too few, or nothing protects it. */
export async function chunkFromParity(
  { db, blobs }: ChunkFromParityDeps,
  hash: Uint8Array,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const read = (wanted: Uint8Array) => blobs.readChunk(wanted, undefined, { isQuiet: true });
  for (const { address } of await readReferrers(db, hash, REFERRERS_MAX)) {
    const ref = await blobs.resolve(address);
    if (ref?.kind !== "tree" || ref.encoding.kind !== "reed_solomon") continue;
    try {
      for await (const { node } of walkTreeNodes(ref, { readNode: read, signal })) {
        if (node.kind !== "erasure_leaf") continue;
        for (const stripe of node.stripes) {
          const index = stripe.chunks.findIndex((chunk) => equalBytes(chunk.hash, hash));
          if (index < 0 || stripe.encoding.kind === "replicated") continue;
          return await readStripeChunk(stripe, index, {
            readChunk: (each) => read(each.hash),
            signal,
          });
        }
      }
    } catch (error) {
      signal?.throwIfAborted();
      // A node of the tree is gone, or too much of the stripe: another blob may do.
      if (!(error instanceof NetError)) throw error;
    }
  }
  return undefined;
}
