/** What the flow of blobs asks of the ledger: candidates, sizes, holds by owner, and who holds what in our stead. */
import { idToHex, parseId, toHex } from "../../base/mod.ts";
import type { Ledger, LedgerDb } from "../../core/ledger/mod.ts";
import { LEASES_MAX } from "./limits.ts";
import type { Spill, SpillMemory } from "./ports.ts";

/** Hashes of one question: far below SQLite's 32,766 variables. */
const HASHES_PER_QUERY = 512;

/** See `FlowStore.oldest`. */
export async function oldestChunks(
  db: LedgerDb,
  options: { readonly limit: number; readonly isReferredToo: boolean; readonly nowMs: number },
): Promise<{ readonly hash: Uint8Array; readonly size: number }[]> {
  const { limit, isReferredToo, nowMs } = options;
  let query = db.selectFrom("chunk").select(["hash", "size"]).where("is_pinned", "=", 0)
    .where(({ not, exists, selectFrom }) =>
      not(exists(
        selectFrom("chunk_hold").select("owner").whereRef("chunk_hold.hash", "=", "chunk.hash")
          .where("reason", "in", ["replica", "staging"])
          .where((is) => is.or([is("expires_at_ms", "is", null), is("expires_at_ms", ">", nowMs)])),
      ))
    )
    .orderBy("first_seen_ms").orderBy("hash").limit(limit);
  query = isReferredToo
    ? query.where(({ not, exists, selectFrom }) =>
      not(exists(
        selectFrom("blob_chunk").innerJoin("blob", "blob.address", "blob_chunk.address")
          .select("blob.address").whereRef("blob_chunk.hash", "=", "chunk.hash")
          .where("blob.is_pinned", "=", 1),
      ))
    )
    : query.where(({ not, exists, selectFrom }) =>
      not(exists(
        selectFrom("blob_chunk").select("position").whereRef("blob_chunk.hash", "=", "chunk.hash"),
      ))
    );
  return await query.execute();
}

/** See `FlowStore.sizes`. */
export async function referredSizes(
  db: LedgerDb,
  hashes: readonly Uint8Array[],
): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (let start = 0; start < hashes.length; start += HASHES_PER_QUERY) {
    const rows = await db.selectFrom("blob_chunk")
      .select((is) => ["hash", is.fn.max<number>("size").as("size")])
      .where("hash", "in", hashes.slice(start, start + HASHES_PER_QUERY)).groupBy("hash").execute();
    for (const { hash, size } of rows) sizes.set(toHex(hash), size);
  }
  return sizes;
}

/** Of these chunks, those that have a row. */
export async function presentChunks(
  db: LedgerDb,
  hashes: readonly Uint8Array[],
): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for (let start = 0; start < hashes.length; start += HASHES_PER_QUERY) {
    const slice = hashes.slice(start, start + HASHES_PER_QUERY);
    const rows = await db.selectFrom("chunk").select("hash").where("hash", "in", slice).execute();
    found.push(...rows.map(({ hash }) => hash));
  }
  return found;
}

/** See `FlowStore.heldBy`. */
export async function holdsByOwner(db: LedgerDb, ownerPrefix: string) {
  const rows = await db.selectFrom("chunk_hold").select(["hash", "owner", "expires_at_ms"])
    .where("owner", ">=", ownerPrefix).where("owner", "<", `${ownerPrefix}\u{10ffff}`)
    .limit(LEASES_MAX).execute();
  return rows.map(({ hash, owner, expires_at_ms }) => ({
    hash,
    owner,
    expiresAtMs: expires_at_ms ?? undefined,
  }));
}

/** Memory of spilled chunks on a ledger. */
export function createSpillMemory(ledger: Ledger): SpillMemory {
  const { db } = ledger;
  return {
    write: async (spills) => {
      if (spills.length === 0) return;
      const rows = spills.map(({ hash, size, holder, provenAtMs }) => ({
        hash,
        size,
        holder: idToHex(holder),
        proven_at_ms: Math.floor(provenAtMs),
      }));
      await db.insertInto("chunk_spill").values(rows)
        .onConflict((conflict) =>
          conflict.columns(["hash", "holder"]).doUpdateSet((is) => ({
            proven_at_ms: is.ref("excluded.proven_at_ms"),
          }))
        ).execute();
    },
    remove: async (hash, holder) => {
      let query = db.deleteFrom("chunk_spill").where("hash", "=", hash);
      if (holder !== undefined) query = query.where("holder", "=", idToHex(holder));
      await query.execute();
    },
    holders: async (hash) => {
      const rows = await db.selectFrom("chunk_spill").select("holder").where("hash", "=", hash)
        .orderBy("proven_at_ms", "desc").execute();
      return rows.flatMap(({ holder }) => parseId(holder) ?? []);
    },
    oldest: async (beforeMs, limit) => {
      const rows = await db.selectFrom("chunk_spill").selectAll()
        .where("proven_at_ms", "<", beforeMs).orderBy("proven_at_ms").limit(limit).execute();
      return rows.flatMap(toSpill);
    },
    unneeded: async (limit) => {
      const rows = await db.selectFrom("chunk_spill").selectAll()
        .where(({ not, exists, selectFrom }) =>
          not(exists(
            selectFrom("blob_chunk").select("position")
              .whereRef("blob_chunk.hash", "=", "chunk_spill.hash"),
          ))
        ).limit(limit).execute();
      return rows.flatMap(toSpill);
    },
    count: async () => {
      const { count } = await db.selectFrom("chunk_spill")
        .select((is) => is.fn.count<number>("hash").distinct().as("count"))
        .executeTakeFirstOrThrow();
      return count;
    },
  };
}

function toSpill(
  { hash, size, holder, proven_at_ms: provenAtMs }: {
    readonly hash: Uint8Array;
    readonly size: number;
    readonly holder: string;
    readonly proven_at_ms: number;
  },
): Spill[] {
  const id = parseId(holder);
  return id === undefined ? [] : [{ hash, size, holder: id, provenAtMs }];
}
