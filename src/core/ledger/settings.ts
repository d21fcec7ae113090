/** Small values a node keeps over restarts, for example its UDP port. */
import type { LedgerDb } from "./ledger.ts";

/** Value of `key`, or `undefined`. */
export async function readSetting(db: LedgerDb, key: string): Promise<string | undefined> {
  const row = await db.selectFrom("setting").select("value").where("key", "=", key)
    .executeTakeFirst();
  return row?.value;
}

/** Sets `key`, replacing what it was. */
export async function writeSetting(db: LedgerDb, key: string, value: string): Promise<void> {
  await db.insertInto("setting").values({ key, value })
    .onConflict((conflict) => conflict.column("key").doUpdateSet({ value })).execute();
}

/** Removes `key`; false when it was not there. */
export async function removeSetting(db: LedgerDb, key: string): Promise<boolean> {
  const result = await db.deleteFrom("setting").where("key", "=", key).executeTakeFirst();
  return result.numDeletedRows > 0n;
}
