/** What the flow of blobs asks of the ledger: candidates, sizes, holds by owner, and who holds what in our stead. */
import { idToHex, parseId, toHex } from "../../base/mod.ts";
import type { Ledger, LedgerDb } from "../../core/ledger/mod.ts";
import { LEASES_MAX } from "./limits.ts";
import type { Spill, SpillMemory } from "./ports.ts";

/** Hashes of one question: far below SQLite's 32,766 variables. */
const HASHES_PER_QUERY = 512;

/** Chunks looked at in one go: some 5 ms. */
export const CANDIDATE_WINDOW = 2_048;

/** Where a look at chunks by their age goes on. */
export interface AgePlace {
  readonly firstSeenMs: number;
  readonly hash: Uint8Array;
}

/** What one look found; `next` is undefined at the end of all chunks. */
export interface CandidateWindow {
  readonly found: readonly (AgePlace & { readonly size: number })[];
  readonly next: AgePlace | undefined;
}

/**
 * Of the next {@linkcode CANDIDATE_WINDOW} chunks by age those that are neither pinned, staged nor a replica, and
 * without `isReferredToo` no part of a blob.
 */
export async function candidateChunks(
  db: LedgerDb,
  options: {
    readonly after: AgePlace | undefined;
    readonly isReferredToo: boolean;
    readonly nowMs: number;
  },
): Promise<CandidateWindow> {
  const { after, isReferredToo, nowMs } = options;
  let query = db.selectFrom("chunk").select(["hash", "size", "first_seen_ms", "is_pinned"])
    .orderBy("first_seen_ms").orderBy("hash").limit(CANDIDATE_WINDOW);
  if (after !== undefined) {
    const { firstSeenMs, hash } = after;
    query = query.where("first_seen_ms", ">=", firstSeenMs).where((is) =>
      is.or([is("first_seen_ms", ">", firstSeenMs), is("hash", ">", hash)])
    );
  }
  const rows = (await query.execute()).map((row) => ({
    hash: row.hash,
    size: row.size,
    firstSeenMs: row.first_seen_ms,
    isPinned: row.is_pinned === 1,
  }));
  const hashes = rows.filter(({ isPinned }) => !isPinned).map(({ hash }) => hash);
  const kept = new Set<string>();
  for (let start = 0; start < hashes.length; start += HASHES_PER_QUERY) {
    const slice = hashes.slice(start, start + HASHES_PER_QUERY);
    const held = await db.selectFrom("chunk_hold").select("hash").where("hash", "in", slice)
      .where("reason", "in", ["replica", "staging"])
      .where((is) => is.or([is("expires_at_ms", "is", null), is("expires_at_ms", ">", nowMs)]))
      .execute();
    let needed = db.selectFrom("blob_chunk").select("blob_chunk.hash").distinct()
      .where("blob_chunk.hash", "in", slice);
    if (isReferredToo) {
      needed = needed.innerJoin("blob", "blob.address", "blob_chunk.address")
        .where("blob.is_pinned", "=", 1);
    }
    for (const { hash } of [...held, ...await needed.execute()]) kept.add(toHex(hash));
  }
  const last = rows.length < CANDIDATE_WINDOW ? undefined : rows.at(-1);
  return {
    found: rows.filter(({ hash, isPinned }) => !isPinned && !kept.has(toHex(hash))),
    next: last && { firstSeenMs: last.firstSeenMs, hash: last.hash },
  };
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
  const rows = await db.selectFrom("chunk_hold").leftJoin("chunk", "chunk.hash", "chunk_hold.hash")
    .select(["chunk_hold.hash", "owner", "expires_at_ms", "size"])
    .where("owner", ">=", ownerPrefix).where("owner", "<", `${ownerPrefix}\u{10ffff}`)
    .limit(LEASES_MAX).execute();
  return rows.map(({ hash, owner, expires_at_ms, size }) => ({
    hash,
    owner,
    expiresAtMs: expires_at_ms ?? undefined,
    size: size ?? undefined,
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
