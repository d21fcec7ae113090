/** Why a chunk stays, with names and times, for people (`dataforts.md` 10: `net blob why`). */
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { ChunkGuard } from "../_chunk_guard.ts";
import {
  type ChunkHold,
  type ChunkRecord,
  readChunkRecord,
  readHolds,
  readReferrers,
} from "../chunk_queries.ts";
import { type KeepReason, keepReasons } from "../policy/gc.ts";
import { readStanding } from "./standing.ts";
import { readStripes, type StripeState } from "./stripes.ts";

/** Everything that keeps a chunk. */
export interface ChunkExplanation extends ChunkRecord {
  /** References, any kind; counted up to 1,000. */
  readonly refcount: number;
  /** Strongest first; nothing keeps it when there are none. */
  readonly reasons: readonly KeepReason[];
  /** Blobs that refer to it, the first {@linkcode REFERRERS_LISTED_MAX}. */
  readonly referrers: readonly { readonly address: Uint8Array; readonly isPinned: boolean }[];
  readonly holds: readonly ChunkHold[];
  readonly stripes: readonly StripeState[];
  /** Unix milliseconds from which its age does not keep it. */
  readonly freshUntilMs: number;
}

/** Blobs that are named. */
export const REFERRERS_LISTED_MAX = 20;

/**
 * Explains a chunk; `undefined` for one that the ledger does not know.
 *
 * @param retentionMs How long chunks stay that nothing needs.
 */
export async function explainChunk(
  db: LedgerDb,
  guard: ChunkGuard,
  hash: Uint8Array,
  nowMs: number,
  retentionMs: number,
): Promise<ChunkExplanation | undefined> {
  const record = await readChunkRecord(db, hash);
  const standing = await readStanding(db, guard, hash, nowMs);
  if (record === undefined || standing === undefined) return undefined;
  const rule = { retentionFloorMs: retentionMs, isUnderPressure: false };
  return {
    ...record,
    refcount: standing.refcount,
    reasons: keepReasons(standing, rule, nowMs),
    referrers: await readReferrers(db, hash, REFERRERS_LISTED_MAX),
    holds: await readHolds(db, hash, nowMs),
    stripes: await readStripes(db, hash),
    freshUntilMs: record.firstSeenMs + retentionMs,
  };
}
