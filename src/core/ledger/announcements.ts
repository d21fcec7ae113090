/** Announcements of other nodes, so that a node can answer who does what right after a restart. */
import type { Transaction } from "kysely";
import { idToHex } from "../../base/mod.ts";
import type { Ledger, LedgerDb } from "./ledger.ts";
import type { LedgerSchema } from "./schema.ts";

/** One kept announcement. */
export interface AnnouncementRecord {
  readonly nodeId: bigint;
  /** As on the wire. */
  readonly bytes: Uint8Array;
  /** Unix milliseconds of its arrival. */
  readonly heardAtMs: number;
  /** Unix milliseconds. */
  readonly expiresAtMs: number;
}

/** What changed since the last write. */
export interface AnnouncementChanges {
  readonly written: readonly AnnouncementRecord[];
  /** Nodes that have none any more. */
  readonly removed: readonly bigint[];
}

/** Rows of one statement: 4 values each, far below SQLite's 32,766. */
const ROWS_PER_STATEMENT = 500;

/** Every announcement heard at or after a time, the latest first. */
export async function readAnnouncements(
  db: LedgerDb,
  heardSinceMs: number,
  countMax: number,
): Promise<AnnouncementRecord[]> {
  const rows = await db.selectFrom("announcement").selectAll()
    .where("heard_at_ms", ">=", heardSinceMs)
    .orderBy("heard_at_ms", "desc").limit(countMax).execute();
  return rows.map((row) => ({
    nodeId: BigInt(`0x${row.node_id}`),
    bytes: row.bytes,
    heardAtMs: row.heard_at_ms,
    expiresAtMs: row.expires_at_ms,
  }));
}

/** Writes changes in one transaction. */
export async function writeAnnouncements(
  ledger: Ledger,
  { written, removed }: AnnouncementChanges,
): Promise<void> {
  await ledger.transaction(async (transaction) => {
    for (const part of slices(written)) await insert(transaction, part);
    for (const part of slices(removed)) {
      await transaction.deleteFrom("announcement").where("node_id", "in", part.map(idToHex))
        .execute();
    }
  });
}

/** Removes what was heard before a time. */
export async function removeOldAnnouncements(db: LedgerDb, heardBeforeMs: number): Promise<void> {
  await db.deleteFrom("announcement").where("heard_at_ms", "<", heardBeforeMs).execute();
}

async function insert(
  transaction: Transaction<LedgerSchema>,
  records: readonly AnnouncementRecord[],
): Promise<void> {
  await transaction.insertInto("announcement")
    .values(records.map(({ nodeId, bytes, heardAtMs, expiresAtMs }) => ({
      node_id: idToHex(nodeId),
      bytes,
      heard_at_ms: heardAtMs,
      expires_at_ms: expiresAtMs,
    })))
    .onConflict((conflict) =>
      conflict.column("node_id").doUpdateSet((given) => ({
        bytes: given.ref("excluded.bytes"),
        heard_at_ms: given.ref("excluded.heard_at_ms"),
        expires_at_ms: given.ref("excluded.expires_at_ms"),
      }))
    ).execute();
}

function* slices<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += ROWS_PER_STATEMENT) {
    yield items.slice(start, start + ROWS_PER_STATEMENT);
  }
}
