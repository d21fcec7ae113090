/**
 * Collects chunks that nothing needs (`dataforts.md` 10): walks those that no blob refers to by their age, in small
 * slices with other work between them, and asks again for each chunk in the moment it goes.
 */
import type { Clock } from "../../base/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";
import type { Log } from "../../observe/mod.ts";
import {
  type ChunkStanding,
  type GcRule,
  isDeletable,
  KEEP_REASONS,
  type KeepReason,
  keepReasons,
} from "../policy/gc.ts";
import type { ChunkKeeper } from "./chunk_keeper.ts";
import {
  type AgeCursor,
  endExpiredHolds,
  type KeptChunk,
  listLooseChunks,
} from "./keep_queries.ts";

/** What {@linkcode Collector} needs. */
export interface CollectorDeps {
  readonly ledger: Ledger;
  readonly keeper: ChunkKeeper;
  readonly clock: Clock;
  readonly log: Log;
}

/** How a pass goes about it. */
export interface CollectOptions {
  /** How long a chunk that nothing needs stays, in milliseconds. */
  readonly retentionMs: number;
  /** The disk is so full that this time does not count. */
  readonly isUnderPressure?: boolean;
  /** Says what would go, and removes nothing. */
  readonly isDryRun?: boolean;
  /** Stops when so much is free; all that may go goes when left out. */
  readonly bytesWanted?: number;
  readonly signal?: AbortSignal;
}

/** A chunk that goes. */
export interface CollectedChunk {
  readonly hash: Uint8Array;
  readonly size: number;
  /** Unix milliseconds. */
  readonly firstSeenMs: number;
}

/** What a pass did, or would do. */
export interface CollectReport {
  /** Chunks looked at: those that no blob refers to. */
  readonly scanned: number;
  /** Chunks that may go, the oldest first: the first {@linkcode CANDIDATES_LISTED_MAX} of them. */
  readonly candidates: readonly CollectedChunk[];
  readonly candidateCount: number;
  readonly candidateBytes: number;
  /** Chunks that went. */
  readonly removed: number;
  readonly freedBytes: number;
  /** Those of them that stay, by their strongest reason. */
  readonly kept: Readonly<Record<KeepReason, number>>;
  /** Holds whose time was over. */
  readonly holdsEnded: number;
}

/** Chunks looked at in one go: about 1 ms. */
const SLICE_CHUNKS = 128;

/** Chunks that a report names. */
export const CANDIDATES_LISTED_MAX = 1_000;

/** Collects. */
export class Collector {
  readonly #deps: CollectorDeps;

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  /**
   * One pass over all chunks.
   *
   * @throws The signal's reason; what was removed until then is gone.
   */
  async collect(options: CollectOptions): Promise<CollectReport> {
    const { ledger: { db }, keeper, clock, log } = this.#deps;
    const { isDryRun = false, bytesWanted = Infinity, signal } = options;
    const rule: GcRule = {
      retentionFloorMs: options.retentionMs,
      isUnderPressure: options.isUnderPressure ?? false,
    };
    const pass = new Pass();
    await keeper.settle();
    if (!isDryRun) pass.holdsEnded = await this.#endHolds(signal);
    let after: AgeCursor | undefined;
    while (pass.foundBytes(isDryRun) < bytesWanted) {
      signal?.throwIfAborted();
      const slice = await listLooseChunks(db, {
        after,
        limit: SLICE_CHUNKS,
        nowMs: clock.wallMs(),
      });
      const going: Uint8Array[] = [];
      let goingBytes = 0;
      for (const chunk of slice) {
        if (pass.foundBytes(isDryRun) + goingBytes >= bytesWanted) break;
        pass.scanned += 1;
        const standing = { ...standingOf(chunk), isInUse: keeper.guard.isUsed(chunk.hash) };
        const [reason] = keepReasons(standing, rule, clock.wallMs());
        if (reason !== undefined) pass.kept[reason] += 1;
        else {
          pass.note(chunk);
          going.push(chunk.hash);
          if (!isDryRun) goingBytes += chunk.size;
        }
      }
      if (!isDryRun && going.length > 0) pass.add(await this.#remove(going, rule));
      if (slice.length < SLICE_CHUNKS) break;
      after = slice.at(-1);
      await new Promise<void>((resolve) => clock.soon(resolve));
    }
    if (pass.removed > 0) {
      log.info("chunks_collected", { count: pass.removed, bytes: pass.freedBytes });
    }
    return pass;
  }

  /** Removes chunks that still may go. */
  #remove(hashes: readonly Uint8Array[], rule: GcRule) {
    const { keeper, clock } = this.#deps;
    return keeper.removeUnkept(
      hashes,
      (chunk) => !isDeletable(standingOf(chunk), rule, clock.wallMs()),
    );
  }

  async #endHolds(signal: AbortSignal | undefined): Promise<number> {
    const { ledger: { db }, clock } = this.#deps;
    let ended = 0;
    for (;;) {
      signal?.throwIfAborted();
      const count = await endExpiredHolds(db, clock.wallMs(), SLICE_CHUNKS);
      ended += count;
      if (count < SLICE_CHUNKS) return ended;
      await new Promise<void>((resolve) => clock.soon(resolve));
    }
  }
}

/** What the ledger says of a chunk. */
export function standingOf(chunk: KeptChunk): ChunkStanding {
  const copies = chunk.holds.filter((hold) => hold === "event" || hold === "cache").length;
  return {
    refcount: (chunk.isReferenced ? 1 : 0) + copies,
    isPinned: chunk.isPinned,
    firstSeenMs: chunk.firstSeenMs,
    isStaged: chunk.holds.includes("staging"),
    isReplica: chunk.holds.includes("replica"),
  };
}

/** A report in the making. */
class Pass implements CollectReport {
  scanned = 0;
  readonly candidates: CollectedChunk[] = [];
  candidateCount = 0;
  candidateBytes = 0;
  removed = 0;
  freedBytes = 0;
  readonly kept = Object.fromEntries(KEEP_REASONS.map((reason) => [reason, 0])) as Record<
    KeepReason,
    number
  >;
  holdsEnded = 0;

  note({ hash, size, firstSeenMs }: CollectedChunk): void {
    this.candidateCount += 1;
    this.candidateBytes += size;
    if (this.candidates.length < CANDIDATES_LISTED_MAX) {
      this.candidates.push({ hash, size, firstSeenMs });
    }
  }

  add({ count, freedBytes }: { readonly count: number; readonly freedBytes: number }): void {
    this.removed += count;
    this.freedBytes += freedBytes;
  }

  foundBytes(isDryRun: boolean): number {
    return isDryRun ? this.candidateBytes : this.freedBytes;
  }
}
