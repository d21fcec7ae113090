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

/** Chunks for rows, as plain numbers. */
export interface ChunkRows {
  readonly length: number;
  /** 32 bytes of each, one behind the other. */
  readonly hashes: Uint8Array;
  /** Bytes of each; below 10^8. */
  readonly sizes: ArrayLike<number>;
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

/**
 * Notes that chunks of a blob are here; those known already are seen anew. Runs inside a transaction.
 *
 * @param address Of a blob that is recorded just now: then its chunks are those, in the order of their hashes.
 */
export async function upsertChunkRows(
  db: LedgerDb,
  chunks: ChunkRows,
  nowMs: number,
  address?: Uint8Array,
): Promise<void> {
  let position = 0;
  for (const { rows, count } of pack(chunks)) {
    const numbers = sql`n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})`;
    const hash = sql`substr(${rows}, i * ${sql.lit(ROW_BYTES)} + 1, ${sql.lit(HASH_BYTES)})`;
    const size = sql`CAST(substr(${rows}, i * ${sql.lit(ROW_BYTES)} + ${sql.lit(HASH_BYTES + 1)}, ${
      sql.lit(SIZE_BYTES)
    }) AS INTEGER)`;
    await sql`
      WITH RECURSIVE ${numbers}
      INSERT INTO chunk (hash, size, first_seen_ms, last_seen_ms)
      SELECT ${hash}, ${size}, ${nowMs}, ${nowMs} FROM n WHERE true
      ON CONFLICT (hash) DO UPDATE SET last_seen_ms = excluded.last_seen_ms, is_loose = 0`
      .execute(db);
    if (address !== undefined) {
      await sql`
        WITH RECURSIVE ${numbers}
        INSERT INTO blob_chunk (address, position, hash, size)
        SELECT ${address}, ${position} + i, ${hash}, ${size} FROM n`.execute(db);
    }
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
  const { length } = hashes;
  const joined = new Uint8Array(length * HASH_BYTES);
  for (const [i, hash] of hashes.entries()) joined.set(hash, i * HASH_BYTES);
  for (const { rows, count } of pack({ length, hashes: joined, sizes: new Uint8Array(length) })) {
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

/** Places of chunks, in the order of their hashes. */
function byHash(
  { length, hashes }: ChunkRows,
): { readonly keys: Float64Array; readonly places: number } {
  // Numbers alone are sorted many times as fast as bytes or objects: the beginning of each hash, and its place.
  const placeBits = Math.ceil(Math.log2(length + 1));
  const places = 2 ** placeBits;
  const cut = 2 ** Math.max(0, placeBits + HASH_BITS - NUMBER_BITS);
  const keys = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    keys[i] = Math.floor(firstBytes(hashes, i * HASH_BYTES) / cut) * places + i;
  }
  return { keys: keys.sort(), places };
}

/** The first bytes as a number; hashes that they do not tell apart may come in any order. */
function firstBytes(hashes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < 6; i++) value = value * 256 + (hashes[at + i] ?? 0);
  return value;
}

/** Hashes and sizes by hash, so many at a time, one behind the other. */
function* pack(chunks: ChunkRows): Generator<{ rows: Uint8Array; count: number }> {
  const { length, hashes, sizes } = chunks;
  const { keys, places } = byHash(chunks);
  const digits = new Uint8Array(SIZE_BYTES).fill(48);
  let size = 0;
  for (let start = 0; start < length; start += ROWS) {
    const count = Math.min(length - start, ROWS);
    const rows = new Uint8Array(count * ROW_BYTES);
    let at = 0;
    for (let i = start; i < start + count; i++) {
      const key = keys[i] ?? 0;
      const place = key - Math.floor(key / places) * places;
      const hashAt = place * HASH_BYTES;
      if (hashAt + HASH_BYTES > hashes.length) {
        throw new RangeError("Cannot record chunk: it has no hash");
      }
      for (let byte = 0; byte < HASH_BYTES; byte++) rows[at + byte] = hashes[hashAt + byte] ?? 0;
      at += HASH_BYTES;
      // Many chunks in a row have the same size, where files have.
      if (sizes[place] !== size) writeSize(digits, size = sizes[place] ?? 0);
      for (let digit = 0; digit < SIZE_BYTES; digit++) rows[at + digit] = digits[digit] ?? 0;
      at += SIZE_BYTES;
    }
    yield { rows, count };
  }
}

function writeSize(digits: Uint8Array, size: number): void {
  let rest = size;
  for (let digit = SIZE_BYTES - 1; digit >= 0; digit--) {
    const left = Math.floor(rest / 10);
    digits[digit] = 48 + rest - 10 * left;
    rest = left;
  }
  if (rest === 0) return;
  throw new RangeError(`Cannot record chunk: it has ${size} bytes, must be below 10^8`);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
