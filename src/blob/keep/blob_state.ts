/** How much of a blob is here, since when, and who holds parts of it; read slice by slice, however long it is. */
import type { Clock } from "../../base/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { ChunkHold, HoldReason } from "../chunk_queries.ts";
import { type KnownHolder, listHolders, readWish } from "../replica/replica_queries.ts";

/** How much of a blob is here, and where else it is. */
export interface BlobState {
  /** Its chunks, one that it has twice counted twice. */
  readonly chunks: number;
  readonly present: number;
  readonly presentBytes: number;
  /** Unix milliseconds: the first chunk that came, and the last; `undefined` when none is here. */
  readonly firstSeenMs: number | undefined;
  readonly lastSeenMs: number | undefined;
  /** Who holds chunks of it, the first {@linkcode HOLDS_LISTED_MAX} owners. */
  readonly holds: readonly ChunkHold[];
  /** Copies wanted, this node's included; `undefined` when nobody sees to their number. */
  readonly copiesWanted: number | undefined;
  /** Other nodes that had all of it when they were last heard of, at most {@linkcode HOLDERS_LISTED_MAX}. */
  readonly holders: readonly KnownHolder[];
}

/** Owners that are named. */
export const HOLDS_LISTED_MAX = 16;

/** Other nodes that are named: copies are seen to up to this number. */
export const HOLDERS_LISTED_MAX = 256;

/** Chunks of one statement: about 4 ms. */
const SLICE_CHUNKS = 2_048;

/** Looks at every chunk of a blob. */
export async function readBlobState(
  db: LedgerDb,
  clock: Clock,
  address: Uint8Array,
  chunkCount: number,
): Promise<BlobState> {
  const state = { chunks: chunkCount, present: 0, presentBytes: 0 };
  let firstSeenMs: number | undefined;
  let lastSeenMs: number | undefined;
  const holds = new Map<string, ChunkHold>();
  for (let start = 0; start < chunkCount; start += SLICE_CHUNKS) {
    if (start > 0) await new Promise<void>((resolve) => clock.soon(resolve));
    const slice = db.selectFrom("blob_chunk").where("address", "=", address)
      .where("position", ">=", start).where("position", "<", start + SLICE_CHUNKS);
    const row = await slice.innerJoin("chunk", "chunk.hash", "blob_chunk.hash").select((is) => [
      is.fn.countAll<number>().as("present"),
      is.fn.sum<number | null>("chunk.size").as("bytes"),
      is.fn.min<number | null>("first_seen_ms").as("first"),
      is.fn.max<number | null>("last_seen_ms").as("last"),
    ]).executeTakeFirstOrThrow();
    state.present += row.present;
    state.presentBytes += row.bytes ?? 0;
    if (row.first !== null) firstSeenMs = Math.min(firstSeenMs ?? row.first, row.first);
    if (row.last !== null) lastSeenMs = Math.max(lastSeenMs ?? row.last, row.last);
    if (holds.size >= HOLDS_LISTED_MAX) continue;
    const nowMs = clock.wallMs();
    const owners = await slice.innerJoin("chunk_hold", "chunk_hold.hash", "blob_chunk.hash")
      .select(["owner", "reason", "expires_at_ms"]).distinct()
      .where((is) => is.or([is("expires_at_ms", "is", null), is("expires_at_ms", ">", nowMs)]))
      .orderBy("owner").limit(HOLDS_LISTED_MAX).execute();
    for (const { owner, reason, expires_at_ms } of owners) {
      if (holds.size >= HOLDS_LISTED_MAX && !holds.has(owner)) break;
      holds.set(owner, {
        owner,
        reason: reason as HoldReason, // Only insertHolds writes it.
        expiresAtMs: expires_at_ms ?? undefined,
      });
    }
  }
  const copiesWanted = (await readWish(db, address))?.copies;
  const holders = copiesWanted === undefined ? [] : await listHolders(db, address);
  return {
    ...state,
    firstSeenMs,
    lastSeenMs,
    holds: [...holds.values()],
    copiesWanted,
    holders: holders.slice(0, HOLDERS_LISTED_MAX),
  };
}
