/** Copies in the ledger: which blobs shall have how many, who has one, and what this node may say it holds. */
import { idToHex, parseId } from "../../base/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { HeldRoot } from "./holder_tags.ts";

/** One blob whose copies are seen to. */
export interface CopyWish {
  readonly address: Uint8Array;
  /** Copies wanted, this node's included. */
  readonly copies: number;
  /** Unix milliseconds. */
  readonly sinceMs: number;
}

/** A node that had a copy when it was last heard of. */
export interface KnownHolder {
  readonly nodeId: bigint;
  /** Unix milliseconds. */
  readonly seenAtMs: number;
}

/** Notes how many copies a blob of this node shall have; it must be recorded. */
export async function writeWish(db: LedgerDb, wish: CopyWish): Promise<void> {
  const { address, copies, sinceMs } = wish;
  await db.insertInto("copy_wish").values({ address, copies, since_ms: sinceMs })
    .onConflict((conflict) => conflict.column("address").doUpdateSet({ copies })).execute();
}

/** Sees to the copies of a blob no more; false when it did not. */
export async function deleteWish(db: LedgerDb, address: Uint8Array): Promise<boolean> {
  const deleted = await db.deleteFrom("copy_wish").where("address", "=", address)
    .executeTakeFirst();
  return deleted.numDeletedRows > 0n;
}

/** The wish for a blob; `undefined` without one. */
export async function readWish(db: LedgerDb, address: Uint8Array): Promise<CopyWish | undefined> {
  const row = await db.selectFrom("copy_wish").selectAll().where("address", "=", address)
    .executeTakeFirst();
  return row && { address: row.address, copies: row.copies, sinceMs: row.since_ms };
}

/** Wishes by address, behind one of them. */
export async function listWishes(
  db: LedgerDb,
  options: { readonly limit: number; readonly after?: Uint8Array },
): Promise<CopyWish[]> {
  let query = db.selectFrom("copy_wish").selectAll().orderBy("address").limit(options.limit);
  if (options.after !== undefined) query = query.where("address", ">", options.after);
  const rows = await query.execute();
  return rows.map((row) => ({ address: row.address, copies: row.copies, sinceMs: row.since_ms }));
}

/** Addresses of blobs that were put here and whose copies nobody wished for, oldest first. */
export async function listUnwished(db: LedgerDb, limit: number): Promise<Uint8Array[]> {
  const rows = await db.selectFrom("blob").leftJoin(
    "copy_wish",
    "copy_wish.address",
    "blob.address",
  )
    .select("blob.address").where("blob.origin", "=", "put").where("copy_wish.address", "is", null)
    .orderBy("blob.created_at_ms").limit(limit).execute();
  return rows.map(({ address }) => address);
}

/** How many wishes there are. */
export async function countWishes(db: LedgerDb): Promise<number> {
  const { wishes } = await db.selectFrom("copy_wish")
    .select((is) => is.fn.countAll<number>().as("wishes")).executeTakeFirstOrThrow();
  return wishes;
}

/**
 * Blobs that are here because others asked: the bytes of the plain ones, and those that take more than their size
 * says, because they have nodes, parity or files.
 */
export async function listCopiesTaken(db: LedgerDb): Promise<{
  readonly plainBytes: number;
  readonly others: readonly { readonly address: Uint8Array; readonly chunkCount: number }[];
}> {
  const taken = db.selectFrom("blob").where("origin", "=", "replica");
  const { bytes } = await taken.where("kind", "=", "blob").where("tree_root", "is", null)
    .select((is) => is.fn.sum<number | null>("size").as("bytes")).executeTakeFirstOrThrow();
  const others = await taken.select(["address", "chunk_count"])
    .where((is) => is.or([is("kind", "=", "directory"), is("tree_root", "is not", null)]))
    .execute();
  return {
    plainBytes: bytes ?? 0,
    others: others.map(({ address, chunk_count }) => ({ address, chunkCount: chunk_count })),
  };
}

/** Notes that nodes have a blob, as of now. */
export async function touchHolders(
  db: LedgerDb,
  address: Uint8Array,
  nodes: readonly bigint[],
  nowMs: number,
): Promise<void> {
  if (nodes.length === 0) return;
  await db.insertInto("copy_holder")
    .values(nodes.map((nodeId) => ({ address, node_id: idToHex(nodeId), seen_at_ms: nowMs })))
    .onConflict((conflict) =>
      conflict.columns(["address", "node_id"]).doUpdateSet({ seen_at_ms: nowMs })
    ).execute();
}

/** Forgets that a node has a blob. */
export async function deleteHolder(
  db: LedgerDb,
  address: Uint8Array,
  nodeId: bigint,
): Promise<void> {
  await db.deleteFrom("copy_holder").where("address", "=", address)
    .where("node_id", "=", idToHex(nodeId)).execute();
}

/** Nodes that had a blob when they were last heard of, by id. */
export async function listHolders(db: LedgerDb, address: Uint8Array): Promise<KnownHolder[]> {
  const rows = await db.selectFrom("copy_holder").selectAll().where("address", "=", address)
    .orderBy("node_id").execute();
  return rows.map((row) => ({ nodeId: parseId(row.node_id) ?? 0n, seenAtMs: row.seen_at_ms }));
}

/** Whole blobs of this node: copies and pinned ones and the rest, each newest first and at most `limit`. */
export async function listHeldRoots(db: LedgerDb, limit: number): Promise<HeldRoot[]> {
  const newest = db.selectFrom("blob").orderBy("created_at_ms", "desc").limit(limit)
    .select(["address", "tree_root", "created_at_ms"]);
  const wished = newest.where("address", "in", db.selectFrom("copy_wish").select("address"));
  const ranks = [
    ["replica", wished],
    ["pinned", newest.where("is_pinned", "=", 1)],
    ["plain", newest],
  ] as const;
  const roots: HeldRoot[] = [];
  for (const [rank, query] of ranks) {
    for (const row of await query.execute()) {
      const names = row.tree_root === null ? [row.address] : [row.address, row.tree_root];
      roots.push({ names, rank, createdAtMs: row.created_at_ms });
    }
  }
  return roots;
}

/** Every chunk of a blob, each once; nodes of its tree and parity are among them. */
export async function listBlobHashes(db: LedgerDb, address: Uint8Array): Promise<Uint8Array[]> {
  const rows = await db.selectFrom("blob_chunk").select("hash").distinct()
    .where("address", "=", address).execute();
  return rows.map(({ hash }) => hash);
}

/** Bytes of all chunks of a blob, each once: what a copy of it takes. */
export async function countBlobBytes(db: LedgerDb, address: Uint8Array): Promise<number> {
  const chunks = db.selectFrom("blob_chunk").select(["hash", "size"]).distinct()
    .where("address", "=", address);
  const { bytes } = await db.selectFrom(chunks.as("chunk"))
    .select((is) => is.fn.sum<number | null>("size").as("bytes")).executeTakeFirstOrThrow();
  return bytes ?? 0;
}
