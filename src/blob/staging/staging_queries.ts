/** Puts that are not finished, in the ledger: which there are, and the chunks each has as of its last checkpoint. */
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { ChunkRef } from "../blob_ref.ts";

/** One put that can be gone on with. */
export interface StagingRecord {
  /** 32 hex digits; whoever has it may go on. */
  readonly token: string;
  /** What is put, for finding it again; empty for a stream. */
  readonly sourceKey: string;
  /** How it is put, as text. */
  readonly form: string;
  readonly label: string;
  /** Bytes as of the last checkpoint. */
  readonly bytes: number;
  /** Unix milliseconds. */
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

const ROWS_PER_INSERT = 512;

/** Adds one without chunks. */
export async function insertStaging(db: LedgerDb, record: StagingRecord): Promise<void> {
  await db.insertInto("staging").values({
    token: record.token,
    source_key: record.sourceKey,
    form: record.form,
    label: record.label,
    bytes: record.bytes,
    created_at_ms: record.createdAtMs,
    updated_at_ms: record.updatedAtMs,
  }).execute();
}

/** Adds chunks behind those it has: a checkpoint. Runs inside a transaction. */
export async function extendStaging(
  db: LedgerDb,
  token: string,
  options: {
    readonly position: number;
    readonly chunks: readonly ChunkRef[];
    /** With these chunks. */
    readonly bytes: number;
    readonly nowMs: number;
  },
): Promise<void> {
  const { position, chunks, bytes, nowMs } = options;
  for (let start = 0; start < chunks.length; start += ROWS_PER_INSERT) {
    const rows = chunks.slice(start, start + ROWS_PER_INSERT).map(({ hash, size }, i) => ({
      token,
      position: position + start + i,
      hash,
      size,
    }));
    await db.insertInto("staging_chunk").values(rows).execute();
  }
  await db.updateTable("staging").set({ bytes, updated_at_ms: nowMs }).where("token", "=", token)
    .execute();
}

/** Forgets the chunks from a place on. */
export async function truncateStaging(
  db: LedgerDb,
  token: string,
  options: { readonly position: number; readonly bytes: number },
): Promise<void> {
  await db.deleteFrom("staging_chunk").where("token", "=", token)
    .where("position", ">=", options.position).execute();
  await db.updateTable("staging").set({ bytes: options.bytes }).where("token", "=", token)
    .execute();
}

/** Notes that somebody goes on with it. */
export async function touchStaging(db: LedgerDb, token: string, nowMs: number): Promise<void> {
  await db.updateTable("staging").set({ updated_at_ms: nowMs }).where("token", "=", token)
    .execute();
}

/** The one with this token, or `undefined`. */
export async function readStaging(
  db: LedgerDb,
  token: string,
): Promise<StagingRecord | undefined> {
  const row = await db.selectFrom("staging").selectAll().where("token", "=", token)
    .executeTakeFirst();
  return row && toRecord(row);
}

/** The newest one of a source, or `undefined`. */
export async function findStaging(
  db: LedgerDb,
  sourceKey: string,
  form: string,
): Promise<StagingRecord | undefined> {
  const row = await db.selectFrom("staging").selectAll().where("source_key", "=", sourceKey)
    .where("form", "=", form).orderBy("updated_at_ms", "desc").limit(1).executeTakeFirst();
  return row && toRecord(row);
}

/** All of them, the last used first. */
export async function listStagings(db: LedgerDb, limit: number): Promise<StagingRecord[]> {
  const rows = await db.selectFrom("staging").selectAll().orderBy("updated_at_ms", "desc")
    .limit(limit).execute();
  return rows.map(toRecord);
}

/** Those that nobody used since a time, in Unix milliseconds; the oldest first. */
export async function listOldStagings(
  db: LedgerDb,
  untilMs: number,
  limit: number,
): Promise<StagingRecord[]> {
  const rows = await db.selectFrom("staging").selectAll().where("updated_at_ms", "<=", untilMs)
    .orderBy("updated_at_ms").limit(limit).execute();
  return rows.map(toRecord);
}

/** How many there are. */
export async function countStagings(db: LedgerDb): Promise<number> {
  const { count } = await db.selectFrom("staging").select((is) =>
    is.fn.countAll<number>().as("count")
  ).executeTakeFirstOrThrow();
  return count;
}

/** Chunks of one, in the order of its bytes. */
export async function readStagingChunks(db: LedgerDb, token: string): Promise<ChunkRef[]> {
  return await db.selectFrom("staging_chunk").select(["hash", "size"]).where("token", "=", token)
    .orderBy("position").execute();
}

/** Makes the holds of an owner last longer. */
export async function renewHolds(db: LedgerDb, owner: string, expiresAtMs: number): Promise<void> {
  await db.updateTable("chunk_hold").set({ expires_at_ms: expiresAtMs }).where("owner", "=", owner)
    .execute();
}

/** Forgets one; false when it was not there. */
export async function deleteStaging(db: LedgerDb, token: string): Promise<boolean> {
  const deleted = await db.deleteFrom("staging").where("token", "=", token).executeTakeFirst();
  return deleted.numDeletedRows > 0n;
}

function toRecord(row: {
  readonly token: string;
  readonly source_key: string;
  readonly form: string;
  readonly label: string;
  readonly bytes: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}): StagingRecord {
  return {
    token: row.token,
    sourceKey: row.source_key,
    form: row.form,
    label: row.label,
    bytes: row.bytes,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
  };
}
