/** Snapshots of folds, so that a node knows after a restart what others said before. */
import type { Ledger, LedgerDb } from "./ledger.ts";

/** One kept snapshot. */
export interface FoldSnapshotRecord {
  /** Number of the kind. */
  readonly kind: number;
  /** Unix milliseconds. */
  readonly takenAtMs: number;
  readonly bytes: Uint8Array;
}

/** The latest snapshot of every kind that has one. */
export async function readFoldSnapshots(db: LedgerDb): Promise<FoldSnapshotRecord[]> {
  const rows = await db.selectFrom("fold_snapshot").selectAll().orderBy("kind").execute();
  return rows.map((row) => ({ kind: row.kind, takenAtMs: row.taken_at_ms, bytes: row.bytes }));
}

/** Puts snapshots in the place of those of the same kinds, all in one transaction. */
export async function writeFoldSnapshots(
  ledger: Ledger,
  snapshots: readonly FoldSnapshotRecord[],
): Promise<void> {
  await ledger.transaction(async (transaction) => {
    for (const { kind, takenAtMs, bytes } of snapshots) {
      const facts = { taken_at_ms: takenAtMs, bytes };
      await transaction.insertInto("fold_snapshot").values({ kind, ...facts })
        .onConflict((conflict) => conflict.column("kind").doUpdateSet(facts)).execute();
    }
  });
}
