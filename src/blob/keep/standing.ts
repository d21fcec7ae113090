/** What keeps one chunk, whole: for the moment it goes, and for whoever asks why it stays (`dataforts.md` 10). */
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { ChunkGuard } from "../_chunk_guard.ts";
import { type HoldReason, readChunkRecord, readHolds, readReferrers } from "../chunk_queries.ts";
import type { ChunkStanding } from "../policy/gc.ts";
import { isStripeShort, readStripes } from "./stripes.ts";

/** Blobs looked at to tell whether one of them is pinned. */
const REFERRERS_MAX = 1_000;

/** What keeps a chunk; `undefined` when the ledger does not know it. */
export async function readStanding(
  db: LedgerDb,
  guard: ChunkGuard,
  hash: Uint8Array,
  nowMs: number,
): Promise<ChunkStanding | undefined> {
  const record = await readChunkRecord(db, hash);
  if (record === undefined) return undefined;
  const holds = await readHolds(db, hash, nowMs);
  const referrers = await readReferrers(db, hash, REFERRERS_MAX);
  const held = (reason: HoldReason) => holds.some((hold) => hold.reason === reason);
  const copies = holds.filter(({ reason }) => reason === "event" || reason === "cache").length;
  return {
    refcount: referrers.length + copies,
    isPinned: record.isPinned || referrers.some(({ isPinned }) => isPinned),
    firstSeenMs: record.firstSeenMs,
    isStaged: held("staging"),
    isReplica: held("replica"),
    isStripeShort: (await readStripes(db, hash)).some(isStripeShort),
    isInUse: guard.isUsed(hash),
  };
}
