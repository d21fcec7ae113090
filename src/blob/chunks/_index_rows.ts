/**
 * The tables of the index of packed chunks, and rows for many chunks at once: packed into one parameter, because binding
 * the values of each costs more than the rest.
 */
import { HASH_BYTES } from "../limits.ts";

export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS record (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    pack INTEGER NOT NULL,
    at INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    is_sealed INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS pack (
    number INTEGER PRIMARY KEY,
    synced_bytes INTEGER NOT NULL,
    live_file_bytes INTEGER NOT NULL,
    live_bytes INTEGER NOT NULL
  ) STRICT;
`;

/** Records that are set or looked for with one statement: binding each costs more than the rest. */
export const RECORDS_MAX = 1_024;
/** Digits of a place in a pack. */
const AT_BYTES = 12;
/** Digits of a number of bytes. */
const SIZE_BYTES = 8;
/** Digits of the number of a pack. */
const PACK_BYTES = 12;
const SIZE_AT = HASH_BYTES + AT_BYTES;
const PACK_AT = SIZE_AT + SIZE_BYTES;
const SEALED_AT = PACK_AT + PACK_BYTES;
export const ROW_BYTES = SEALED_AT + 1;

/** Numbers from 0 up to a parameter. */
const NUMBERS = "n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $rows)";

// The bytes as a parameter at each place: out of a column they would be copied for each row.
export const INSERT_MANY = `
  WITH RECURSIVE ${NUMBERS}
  INSERT INTO record (hash, pack, at, stored_bytes, is_sealed)
  SELECT substr($bytes, i * ${ROW_BYTES} + 1, ${HASH_BYTES}),
    CAST(substr($bytes, i * ${ROW_BYTES} + ${PACK_AT + 1}, ${PACK_BYTES}) AS INTEGER),
    CAST(substr($bytes, i * ${ROW_BYTES} + ${HASH_BYTES + 1}, ${AT_BYTES}) AS INTEGER),
    CAST(substr($bytes, i * ${ROW_BYTES} + ${SIZE_AT + 1}, ${SIZE_BYTES}) AS INTEGER),
    CAST(substr($bytes, i * ${ROW_BYTES} + ${SEALED_AT + 1}, 1) AS INTEGER)
  FROM n
`;

export const FIND_MANY = `
  WITH RECURSIVE ${NUMBERS}
  SELECT i FROM n CROSS JOIN record ON record.hash = substr($bytes, i * ${HASH_BYTES} + 1, ${HASH_BYTES})
`;

/** Writes a row behind its hash, which is there already. */
export function writeRow(
  bytes: Uint8Array,
  start: number,
  pack: number,
  at: number,
  storedBytes: number,
  isSealed: boolean,
): void {
  writeDigits(bytes, start + HASH_BYTES, AT_BYTES, at);
  writeDigits(bytes, start + SIZE_AT, SIZE_BYTES, storedBytes);
  writeDigits(bytes, start + PACK_AT, PACK_BYTES, pack);
  bytes[start + SEALED_AT] = isSealed ? 49 : 48;
}

/** Writes a number in so many digits. */
function writeDigits(bytes: Uint8Array, start: number, digits: number, value: number): void {
  let at = start + digits - 1;
  let rest = value;
  for (; rest > 0x7fff_ffff; at--) {
    const left = Math.floor(rest / 10);
    bytes[at] = 48 + rest - 10 * left;
    rest = left;
  }
  // Whole numbers of the machine from here on, which are several times as fast.
  for (rest |= 0; rest > 0 && at >= start; at--) {
    const left = (rest / 10) | 0;
    bytes[at] = 48 + rest - 10 * left;
    rest = left;
  }
  for (; at >= start; at--) bytes[at] = 48;
}
