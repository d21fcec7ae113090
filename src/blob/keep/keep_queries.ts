/**
 * What keeps chunks, read slice by slice: no statement touches more than a few hundred chunks, because a statement
 * holds the event loop until it is done (`dataforts.md` 10).
 */
import { toHex } from "../../base/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { HoldReason } from "../chunk_queries.ts";
import type { BlobOrigin } from "../queries.ts";

/** A chunk and what keeps it. */
export interface KeptChunk {
  readonly hash: Uint8Array;
  readonly size: number;
  /** Unix milliseconds. */
  readonly firstSeenMs: number;
  readonly isPinned: boolean;
  /** A blob refers to it. */
  readonly isReferenced: boolean;
  /** Holds that are not over. */
  readonly holds: readonly HoldReason[];
}

/** Where a walk by age goes on: behind this chunk. */
export interface AgeCursor {
  readonly firstSeenMs: number;
  readonly hash: Uint8Array;
}

/** Chunks that no blob refers to and what else keeps them, the oldest first. */
export async function listLooseChunks(
  db: LedgerDb,
  options: { readonly after?: AgeCursor; readonly limit: number; readonly nowMs: number },
): Promise<KeptChunk[]> {
  const { after, limit, nowMs } = options;
  let slice = db.selectFrom("chunk").select(["hash", "size", "first_seen_ms", "is_pinned"])
    // A literal, because a part of an index is not found by a parameter.
    .where((is) => is("is_loose", "=", is.lit(1)))
    .orderBy("first_seen_ms").orderBy("hash").limit(limit);
  if (after !== undefined) {
    slice = slice.where((is) =>
      is(is.refTuple("first_seen_ms", "hash"), ">", is.tuple(after.firstSeenMs, after.hash))
    );
  }
  const rows = await db.selectFrom(slice.as("c")).select((is) => [
    "c.hash",
    "c.size",
    "c.first_seen_ms",
    "c.is_pinned",
    is.exists(
      is.selectFrom("blob_chunk").select("position").whereRef("blob_chunk.hash", "=", "c.hash"),
    ).as("is_referenced"),
    is.selectFrom("chunk_hold")
      .select((hold) => hold.fn.agg<string | null>("group_concat", ["reason"]).distinct().as("r"))
      .whereRef("chunk_hold.hash", "=", "c.hash")
      .where((hold) =>
        hold.or([hold("expires_at_ms", "is", null), hold("expires_at_ms", ">", nowMs)])
      ).as("holds"),
  ]).execute();
  return rows.map((row) => ({
    hash: row.hash,
    size: row.size,
    firstSeenMs: row.first_seen_ms,
    isPinned: row.is_pinned === 1,
    isReferenced: Boolean(row.is_referenced),
    holds: (row.holds?.split(",") ?? []) as HoldReason[], // Only insertHolds writes them.
  }));
}

/**
 * What keeps each of some chunks, a few hundred at most; also of those without a row, which are as old as can be.
 *
 * @param except Address of a blob whose references do not count.
 */
export async function readKeptChunks(
  db: LedgerDb,
  hashes: readonly Uint8Array[],
  nowMs: number,
  except?: Uint8Array,
): Promise<KeptChunk[]> {
  if (hashes.length === 0) return [];
  let references = db.selectFrom("blob_chunk").select("hash").distinct().where(
    "hash",
    "in",
    hashes,
  );
  if (except !== undefined) references = references.where("address", "!=", except);
  const referenced = new Set((await references.execute()).map(({ hash }) => toHex(hash)));
  const rows = await db.selectFrom("chunk").select(["hash", "size", "first_seen_ms", "is_pinned"])
    .where("hash", "in", hashes).execute();
  const known = new Map(rows.map((row) => [toHex(row.hash), row]));
  const holds = new Map<string, HoldReason[]>();
  const held = await db.selectFrom("chunk_hold").select(["hash", "reason"])
    .where("hash", "in", hashes)
    .where((is) => is.or([is("expires_at_ms", "is", null), is("expires_at_ms", ">", nowMs)]))
    .execute();
  for (const { hash, reason } of held) {
    const key = toHex(hash);
    holds.set(key, [...holds.get(key) ?? [], reason as HoldReason]); // Only insertHolds writes it.
  }
  return hashes.map((hash) => {
    const key = toHex(hash);
    const row = known.get(key);
    return {
      hash,
      size: row?.size ?? 0,
      firstSeenMs: row?.first_seen_ms ?? 0,
      isPinned: row?.is_pinned === 1,
      isReferenced: referenced.has(key),
      holds: holds.get(key) ?? [],
    };
  });
}

/** Ends holds whose time is over, at most so many at once; how many. */
export async function endExpiredHolds(
  db: LedgerDb,
  nowMs: number,
  limit: number,
): Promise<number> {
  const over = await db.selectFrom("chunk_hold").select(["hash", "owner"])
    .where("expires_at_ms", "<=", nowMs).orderBy("expires_at_ms").limit(limit).execute();
  let ended = 0;
  for (const { hash, owner } of over) {
    const deleted = await db.deleteFrom("chunk_hold").where("hash", "=", hash)
      .where("owner", "=", owner).where("expires_at_ms", "<=", nowMs).executeTakeFirst();
    ended += Number(deleted.numDeletedRows);
  }
  return ended;
}

/**
 * Ends what caches hold of some chunks; the chunks. Runs inside a transaction.
 */
export async function releaseCacheHolds(db: LedgerDb, limit: number): Promise<Uint8Array[]> {
  const rows = await db.selectFrom("chunk_hold").select("hash").distinct()
    .where("reason", "=", "cache").orderBy("hash").limit(limit).execute();
  const hashes = rows.map(({ hash }) => hash);
  if (hashes.length === 0) return [];
  await db.deleteFrom("chunk_hold").where("reason", "=", "cache").where("hash", "in", hashes)
    .execute();
  return hashes;
}

/** Blobs that came here in one way and are not pinned, the oldest first. */
export async function listCopies(
  db: LedgerDb,
  origin: BlobOrigin,
  limit: number,
): Promise<Uint8Array[]> {
  const rows = await db.selectFrom("blob").select("address").where("origin", "=", origin)
    .where("is_pinned", "=", 0).orderBy("created_at_ms").orderBy("address").limit(limit).execute();
  return rows.map(({ address }) => address);
}

/** A chunk that a blob lacks. */
export interface MissingChunk {
  readonly hash: Uint8Array;
  readonly size: number;
  /** The blob. */
  readonly address: Uint8Array;
}

/** Where a walk over the chunks of all blobs goes on: behind this one. */
export interface PlaceCursor {
  readonly address: Uint8Array;
  readonly position: number;
}

/** The place that comes so many behind another; `undefined` when there are fewer. */
export async function placeBehind(
  db: LedgerDb,
  after: PlaceCursor | undefined,
  count: number,
): Promise<PlaceCursor | undefined> {
  let query = db.selectFrom("blob_chunk").select(["address", "position"])
    .orderBy("address").orderBy("position").limit(1).offset(count - 1);
  if (after !== undefined) {
    query = query.where((is) =>
      is(is.refTuple("address", "position"), ">", is.tuple(after.address, after.position))
    );
  }
  return await query.executeTakeFirst();
}

/** Of the chunks between two places, those that have no row here and that no peer is known to hold. */
export async function listMissing(
  db: LedgerDb,
  { after, until }: { readonly after?: PlaceCursor; readonly until?: PlaceCursor },
): Promise<MissingChunk[]> {
  let query = db.selectFrom("blob_chunk as b").select(["b.hash", "b.size", "b.address"]).distinct()
    .where((is) =>
      is.and([
        is.not(is.exists(
          is.selectFrom("chunk").select("chunk.hash").whereRef("chunk.hash", "=", "b.hash"),
        )),
        is.not(is.exists(
          is.selectFrom("chunk_spill").select("chunk_spill.hash")
            .whereRef("chunk_spill.hash", "=", "b.hash"),
        )),
      ])
    );
  if (after !== undefined) {
    query = query.where((is) =>
      is(is.refTuple("b.address", "b.position"), ">", is.tuple(after.address, after.position))
    );
  }
  if (until !== undefined) {
    query = query.where((is) =>
      is(is.refTuple("b.address", "b.position"), "<=", is.tuple(until.address, until.position))
    );
  }
  return await query.execute();
}
