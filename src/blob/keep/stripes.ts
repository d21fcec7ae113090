/**
 * Which chunks protect each other (`dataforts.md` 6 and 10): a stripe that has lost as much as it can bear must not
 * lose more.
 */
import { toHex } from "../../base/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { BlobRef } from "../blob_ref.ts";
import type { StripePlace } from "../queries.ts";
import { type ReadNode, walkTreeNodes } from "../tree/tree_walk.ts";

/** Stripes looked at to tell whether one of them is short; a chunk stands in one, seldom in two. */
const STRIPES_MAX = 16;

/** Chunks of a stripe. */
export interface StripeState {
  /** Address of the blob. */
  readonly address: Uint8Array;
  /** Number of the stripe within it. */
  readonly stripe: number;
  /** How many of its chunks are enough. */
  readonly dataChunks: number;
  readonly chunks: number;
  readonly present: number;
}

/**
 * The stripes of a blob by the hashes of their chunks, parity too; empty for a blob without any.
 *
 * @param readNode Nodes of its tree, which are here.
 * @throws NetError `not_found`, `integrity` when the tree is not whole.
 */
export async function findStripes(
  ref: BlobRef,
  readNode: ReadNode,
): Promise<ReadonlyMap<string, StripePlace>> {
  const places = new Map<string, StripePlace>();
  if (ref.kind !== "tree" || ref.encoding.kind === "replicated") return places;
  let stripe = 0;
  for await (const { node } of walkTreeNodes(ref, { readNode })) {
    if (node.kind !== "erasure_leaf") continue;
    for (const { encoding, chunks } of node.stripes) {
      if (encoding.kind === "replicated") continue;
      for (const { hash } of chunks) places.set(toHex(hash), { stripe, dataChunks: encoding.data });
      stripe += 1;
    }
  }
  return places;
}

/** The stripes that a chunk stands in, and how many of their chunks are here. */
export async function readStripes(db: LedgerDb, hash: Uint8Array): Promise<StripeState[]> {
  const stripes = await db.selectFrom("blob_chunk").select(["address", "stripe", "stripe_data"])
    .distinct().where("hash", "=", hash).where("stripe", "is not", null).limit(STRIPES_MAX)
    .execute();
  const states: StripeState[] = [];
  for (const { address, stripe, stripe_data } of stripes) {
    if (stripe === null || stripe_data === null) continue;
    const counts = await db.selectFrom("blob_chunk")
      .leftJoin("chunk", "chunk.hash", "blob_chunk.hash")
      .select((is) => [
        is.fn.countAll<number>().as("chunks"),
        is.fn.count<number>("chunk.hash").as("present"),
      ])
      .where("address", "=", address).where("stripe", "=", stripe).executeTakeFirstOrThrow();
    states.push({ address, stripe, dataChunks: stripe_data, ...counts });
  }
  return states;
}

/** True when the stripe cannot lose one more of the chunks that are here and still be made whole. */
export function isStripeShort({ present, dataChunks }: StripeState): boolean {
  return present <= dataChunks;
}
