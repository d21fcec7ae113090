/** Chunks in the ledger: what is here, who refers to each, who holds it, and since when (`dataforts.md` 10). */
import { type LedgerDb, upsertChunkRows, upsertHoldRows } from "../core/ledger/mod.ts";
import type { ChunkList } from "./_chunk_list.ts";
import { hashRange } from "./hash_range.ts";

/** Why a chunk is held though no blob refers to it. */
export type HoldReason =
  /** Part of an upload that is not finished. */
  | "staging"
  /** This node is one of those that shall have a copy. */
  | "replica"
  /** An event refers to it, or what was folded out of events. */
  | "event"
  /** A cache decided to keep it. */
  | "cache";

/** One hold of a chunk. */
export interface ChunkHold {
  readonly owner: string;
  readonly reason: HoldReason;
  /** Unix milliseconds; `undefined` for one that does not end by itself. */
  readonly expiresAtMs: number | undefined;
}

/** A chunk as the ledger has it. */
export interface ChunkRecord {
  readonly hash: Uint8Array;
  readonly size: number;
  /** Unix milliseconds. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly isPinned: boolean;
}

/** What a chunk is called by and measures. */
export interface ChunkEntry {
  readonly hash: Uint8Array;
  readonly size: number;
}

/** Rows of one insert; at most five values each stay far below SQLite's 32,766. */
const ROWS_PER_INSERT = 512;

/** Holds that one statement ends: some milliseconds. */
const ROWS_PER_DELETE = 2_048;

/** Notes that chunks of a blob are here; those known already are seen anew. Runs inside a transaction. */
export async function upsertChunks(
  db: LedgerDb,
  chunks: ChunkList,
  nowMs: number,
): Promise<void> {
  if (chunks.length > ROWS_PER_INSERT) return await upsertChunkRows(db, chunks, nowMs);
  if (chunks.length === 0) return;
  const times = { first_seen_ms: nowMs, last_seen_ms: nowMs };
  const rows = Array.from(chunks, ({ hash, size }) => ({ hash, size, ...times }));
  await db.insertInto("chunk").values(rows)
    .onConflict((conflict) =>
      conflict.column("hash").doUpdateSet({ last_seen_ms: nowMs, is_loose: 0 })
    ).execute();
}

/**
 * Notes that chunks are here to which no blob may refer; those known already are seen anew. Runs inside a
 * transaction.
 *
 * @param chunks New ones are first seen now, or when they say.
 */
export async function upsertLooseChunks(
  db: LedgerDb,
  chunks: readonly (ChunkEntry & { readonly firstSeenMs?: number })[],
  nowMs: number,
): Promise<void> {
  for (let start = 0; start < chunks.length; start += ROWS_PER_INSERT) {
    const slice = chunks.slice(start, start + ROWS_PER_INSERT);
    const rows = slice.map(({ hash, size, firstSeenMs = nowMs }) => ({
      hash,
      size,
      first_seen_ms: firstSeenMs,
      last_seen_ms: nowMs,
      is_loose: 1,
    }));
    await db.insertInto("chunk").values(rows)
      .onConflict((conflict) => conflict.column("hash").doUpdateSet({ last_seen_ms: nowMs }))
      .execute();
    // What comes back may be what a blob lacked.
    await markLoose(db, slice.map(({ hash }) => hash));
  }
}

/** Notes of chunks, a few hundred, whether a blob refers to them; how many were noted wrongly. */
export async function markLoose(db: LedgerDb, hashes: readonly Uint8Array[]): Promise<number> {
  if (hashes.length === 0) return 0;
  const tied = await db.updateTable("chunk").set({ is_loose: 0 }).where("hash", "in", hashes)
    .where("is_loose", "=", 1).where((is) =>
      is.exists(
        is.selectFrom("blob_chunk").select("position").whereRef(
          "blob_chunk.hash",
          "=",
          "chunk.hash",
        ),
      )
    ).executeTakeFirst();
  const loosened = await db.updateTable("chunk").set({ is_loose: 1 }).where("hash", "in", hashes)
    .where("is_loose", "=", 0).where((is) =>
      is.not(is.exists(
        is.selectFrom("blob_chunk").select("position").whereRef(
          "blob_chunk.hash",
          "=",
          "chunk.hash",
        ),
      ))
    ).executeTakeFirst();
  return Number(tied.numUpdatedRows + loosened.numUpdatedRows);
}

/** Forgets chunks; those that had a row. */
export async function deleteChunks(
  db: LedgerDb,
  hashes: readonly Uint8Array[],
): Promise<ChunkEntry[]> {
  const deleted: ChunkEntry[] = [];
  for (let start = 0; start < hashes.length; start += ROWS_PER_INSERT) {
    const slice = hashes.slice(start, start + ROWS_PER_INSERT);
    deleted.push(
      ...await db.deleteFrom("chunk").where("hash", "in", slice).returning(["hash", "size"])
        .execute(),
    );
  }
  return deleted;
}

/** The chunk, or `undefined`. */
export async function readChunkRecord(
  db: LedgerDb,
  hash: Uint8Array,
): Promise<ChunkRecord | undefined> {
  const row = await db.selectFrom("chunk").selectAll().where("hash", "=", hash).executeTakeFirst();
  return row && toRecord(row);
}

/** Of these chunks, those the ledger knows. */
export async function knownChunks(
  db: LedgerDb,
  hashes: readonly Uint8Array[],
): Promise<Uint8Array[]> {
  const rows = await db.selectFrom("chunk").select("hash").where("hash", "in", hashes).execute();
  return rows.map(({ hash }) => hash);
}

/** Chunks by hash, behind one of them, those that begin with some hex digits. */
export async function listChunks(
  db: LedgerDb,
  options: { readonly limit: number; readonly after?: Uint8Array; readonly prefix?: string },
): Promise<ChunkRecord[]> {
  let query = db.selectFrom("chunk").selectAll().orderBy("hash").limit(options.limit);
  if (options.prefix !== undefined) {
    const { first, last } = hashRange(options.prefix);
    query = query.where("hash", ">=", first).where("hash", "<=", last);
  }
  if (options.after !== undefined) query = query.where("hash", ">", options.after);
  return (await query.execute()).map(toRecord);
}

/** Pins chunks, or lets them go; how many of them are here. */
export async function pinChunks(
  db: LedgerDb,
  hashes: readonly Uint8Array[],
  isPinned: boolean,
): Promise<number> {
  let count = 0;
  for (let start = 0; start < hashes.length; start += ROWS_PER_INSERT) {
    const updated = await db.updateTable("chunk").set({ is_pinned: isPinned ? 1 : 0 })
      .where("hash", "in", hashes.slice(start, start + ROWS_PER_INSERT)).executeTakeFirst();
    count += Number(updated.numUpdatedRows);
  }
  return count;
}

/** Adds holds of one owner; one it has already is renewed. Runs inside a transaction. */
export async function insertHolds(
  db: LedgerDb,
  hashes: readonly Uint8Array[],
  hold: ChunkHold,
): Promise<void> {
  const { owner, reason, expiresAtMs = null } = hold;
  if (hashes.length > ROWS_PER_INSERT) {
    return await upsertHoldRows(db, hashes, { owner, reason, expiresAtMs });
  }
  if (hashes.length === 0) return;
  await db.insertInto("chunk_hold")
    .values(hashes.map((hash) => ({ hash, owner, reason, expires_at_ms: expiresAtMs })))
    .onConflict((conflict) =>
      conflict.columns(["hash", "owner"]).doUpdateSet({ reason, expires_at_ms: expiresAtMs })
    ).execute();
}

/**
 * Ends the holds of an owner, of all chunks or of these; how many there were.
 *
 * @param pause Called again and again, so that other work has its turn.
 */
export async function deleteHolds(
  db: LedgerDb,
  owner: string,
  hashes: readonly Uint8Array[] | undefined,
  pause: () => Promise<void>,
): Promise<number> {
  const all = db.deleteFrom("chunk_hold").where("owner", "=", owner);
  let count = 0;
  if (hashes === undefined) {
    for (;;) {
      const last = await db.selectFrom("chunk_hold").select("hash").where("owner", "=", owner)
        .orderBy("hash").limit(1).offset(ROWS_PER_DELETE - 1).executeTakeFirst();
      const part = last === undefined ? all : all.where("hash", "<=", last.hash);
      count += Number((await part.executeTakeFirst()).numDeletedRows);
      if (last === undefined) return count;
      await pause();
    }
  }
  for (let start = 0; start < hashes.length; start += ROWS_PER_INSERT) {
    if (start > 0) await pause();
    const slice = hashes.slice(start, start + ROWS_PER_INSERT);
    count += Number((await all.where("hash", "in", slice).executeTakeFirst()).numDeletedRows);
  }
  return count;
}

/** Owners of holds whose names begin so, in order. */
export async function listHoldOwners(
  db: LedgerDb,
  prefix: string,
  limit: number,
): Promise<string[]> {
  const rows = await db.selectFrom("chunk_hold").select("owner").distinct()
    .where("owner", ">=", prefix).where("owner", "<", `${prefix}\u{10ffff}`)
    .orderBy("owner").limit(limit).execute();
  return rows.map(({ owner }) => owner);
}

/** Ends holds whose time is over; how many. */
export async function deleteExpiredHolds(db: LedgerDb, nowMs: number): Promise<number> {
  const deleted = await db.deleteFrom("chunk_hold").where("expires_at_ms", "<=", nowMs)
    .executeTakeFirst();
  return Number(deleted.numDeletedRows);
}

/** Holds of a chunk that are not over. */
export async function readHolds(
  db: LedgerDb,
  hash: Uint8Array,
  nowMs: number,
): Promise<ChunkHold[]> {
  const rows = await db.selectFrom("chunk_hold").select(["owner", "reason", "expires_at_ms"])
    .where("hash", "=", hash)
    .where((is) => is.or([is("expires_at_ms", "is", null), is("expires_at_ms", ">", nowMs)]))
    .orderBy("owner").execute();
  return rows.map(({ owner, reason, expires_at_ms }) => ({
    owner,
    reason: reason as HoldReason, // Only insertHolds writes it.
    expiresAtMs: expires_at_ms ?? undefined,
  }));
}

/** Blobs that refer to a chunk, at most so many. */
export async function readReferrers(
  db: LedgerDb,
  hash: Uint8Array,
  limit: number,
): Promise<{ readonly address: Uint8Array; readonly isPinned: boolean }[]> {
  const rows = await db.selectFrom("blob_chunk").innerJoin(
    "blob",
    "blob.address",
    "blob_chunk.address",
  )
    .select(["blob.address", "blob.is_pinned"]).distinct()
    .where("blob_chunk.hash", "=", hash).limit(limit).execute();
  return rows.map(({ address, is_pinned }) => ({ address, isPinned: is_pinned === 1 }));
}

function toRecord(row: {
  readonly hash: Uint8Array;
  readonly size: number;
  readonly first_seen_ms: number;
  readonly last_seen_ms: number;
  readonly is_pinned: number;
}): ChunkRecord {
  return {
    hash: row.hash,
    size: row.size,
    firstSeenMs: row.first_seen_ms,
    lastSeenMs: row.last_seen_ms,
    isPinned: row.is_pinned === 1,
  };
}
