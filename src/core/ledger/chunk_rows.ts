/**
 * Rows of very many chunks at once: a folder of files has a hundred thousand.
 *
 * They go in by the order of their hashes, because a table that grows at its end, or runs alongside what it has, is
 * written several times as fast as one that grows everywhere; and packed into one parameter per thousand, because
 * binding four values for each costs more than the rows. That parameter stands at each place where it is used: out of
 * a column of a table in between it would be copied for each row.
 */
import { sql } from "kysely";
import { setImmediate } from "node:timers";
import type { LedgerDb } from "./ledger.ts";

/** A chunk, for a row. */
export interface ChunkRow {
  /** 32 bytes. */
  readonly hash: Uint8Array;
  /** Bytes; below 10^8. */
  readonly size: number;
}

const HASH_BYTES = 32;
/** Digits of a size. */
const SIZE_BYTES = 8;
const ROW_BYTES = HASH_BYTES + SIZE_BYTES;

/** Bits of a hash that are looked at, and of a whole number that is exact. */
const HASH_BITS = 48;
const NUMBER_BITS = 53;

/** Rows of one statement: some milliseconds. */
const ROWS = 1_024;

/** Notes that chunks of a blob are here; those known already are seen anew. Runs inside a transaction. */
export async function upsertChunkRows(
  db: LedgerDb,
  chunks: readonly ChunkRow[],
  nowMs: number,
): Promise<void> {
  for (const { rows, count } of pack(byHash(chunks))) {
    await sql`
      WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})
      INSERT INTO chunk (hash, size, first_seen_ms, last_seen_ms)
      SELECT substr(${rows}, i * ${sql.lit(ROW_BYTES)} + 1, ${sql.lit(HASH_BYTES)}),
        CAST(substr(${rows}, i * ${sql.lit(ROW_BYTES)} + ${sql.lit(HASH_BYTES + 1)}, ${
      sql.lit(SIZE_BYTES)
    }) AS INTEGER), ${nowMs}, ${nowMs}
      FROM n WHERE true
      ON CONFLICT (hash) DO UPDATE SET last_seen_ms = excluded.last_seen_ms, is_loose = 0`.execute(
      db,
    );
    await nextTurn();
  }
}

/** Says of which chunks a blob is made, in the order of their hashes. Runs inside a transaction. */
export async function insertBlobChunkRows(
  db: LedgerDb,
  address: Uint8Array,
  chunks: readonly ChunkRow[],
): Promise<void> {
  let position = 0;
  for (const { rows, count } of pack(byHash(chunks))) {
    await sql`
      WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})
      INSERT INTO blob_chunk (address, position, hash, size)
      SELECT ${address}, ${position} + i,
        substr(${rows}, i * ${sql.lit(ROW_BYTES)} + 1, ${sql.lit(HASH_BYTES)}),
        CAST(substr(${rows}, i * ${sql.lit(ROW_BYTES)} + ${sql.lit(HASH_BYTES + 1)}, ${
      sql.lit(SIZE_BYTES)
    }) AS INTEGER)
      FROM n`.execute(db);
    position += count;
    await nextTurn();
  }
}

/** A hold of chunks, for rows. */
export interface HoldRow {
  readonly owner: string;
  readonly reason: string;
  /** Unix milliseconds; `null` for one that does not end. */
  readonly expiresAtMs: number | null;
}

/** Says that an owner holds chunks, which renews what it holds already. Runs inside a transaction. */
export async function upsertHoldRows(
  db: LedgerDb,
  hashes: readonly Uint8Array[],
  { owner, reason, expiresAtMs }: HoldRow,
): Promise<void> {
  for (const { rows, count } of pack(byHash(hashes.map((hash) => ({ hash, size: 0 }))))) {
    await sql`
      WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})
      INSERT INTO chunk_hold (hash, owner, reason, expires_at_ms)
      SELECT substr(${rows}, i * ${sql.lit(ROW_BYTES)} + 1, ${sql.lit(HASH_BYTES)}),
        ${owner}, ${reason}, ${expiresAtMs}
      FROM n WHERE true
      ON CONFLICT (hash, owner) DO UPDATE
      SET reason = excluded.reason, expires_at_ms = excluded.expires_at_ms`.execute(db);
    await nextTurn();
  }
}

/** The same chunks by their hashes. */
function byHash(chunks: readonly ChunkRow[]): readonly ChunkRow[] {
  // Numbers alone are sorted many times as fast as bytes or objects: the beginning of each hash, and its place.
  const { length } = chunks;
  const placeBits = Math.ceil(Math.log2(length + 1));
  const places = 2 ** placeBits;
  const cut = 2 ** Math.max(0, placeBits + HASH_BITS - NUMBER_BITS);
  const keys = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    keys[i] = Math.floor(firstBytes((chunks[i] as ChunkRow).hash) / cut) * places + i;
  }
  keys.sort();
  return Array.from(keys, (key) => chunks[key % places] as ChunkRow);
}

/** The first bytes as a number; hashes that they do not tell apart may come in any order. */
function firstBytes(hash: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < 6; i++) value = value * 256 + (hash[i] ?? 0);
  return value;
}

/** Hashes and sizes of so many chunks, one behind the other. */
function* pack(chunks: readonly ChunkRow[]): Generator<{ rows: Uint8Array; count: number }> {
  for (let start = 0; start < chunks.length; start += ROWS) {
    const count = Math.min(chunks.length - start, ROWS);
    const rows = new Uint8Array(count * ROW_BYTES);
    for (let i = 0; i < count; i++) {
      const { hash, size } = chunks[start + i] as ChunkRow;
      const at = i * ROW_BYTES;
      rows.set(hash, at);
      let rest = size;
      for (let digit = SIZE_BYTES - 1; digit >= 0; digit--) {
        const left = Math.floor(rest / 10);
        rows[at + HASH_BYTES + digit] = 48 + rest - 10 * left;
        rest = left;
      }
      if (hash.length !== HASH_BYTES || rest > 0) {
        throw new RangeError(`Cannot record chunk: it has ${size} bytes, must be below 10^8`);
      }
    }
    yield { rows, count };
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
