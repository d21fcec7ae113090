/**
 * Makes the books true again (`dataforts.md` 10, promise 63): chunks that no row knows get one, rows of chunks that are
 * gone go, and what blobs lack is named. Everything slice by slice, with other work in between.
 */
import type { Clock } from "../../base/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { listChunks, markLoose } from "../chunk_queries.ts";
import type { ChunkStore } from "../chunk_store.ts";
import type { ChunkKeeper } from "./chunk_keeper.ts";
import { listMissing, type MissingChunk, placeBehind, type PlaceCursor } from "./keep_queries.ts";

/** What {@linkcode Auditor} needs. */
export interface AuditorDeps {
  readonly ledger: Ledger;
  readonly chunks: ChunkStore;
  readonly keeper: ChunkKeeper;
  readonly clock: Clock;
  readonly log: Log;
}

/** What an audit found. */
export interface AuditReport {
  /** Chunks that got a row. */
  readonly adopted: number;
  /** Rows that were looked at. */
  readonly checked: number;
  /** Rows that went, because their chunk was not there. */
  readonly gone: number;
  /** Chunks that blobs lack and no peer is known to hold; one that two blobs lack counts twice. */
  readonly missingCount: number;
  /** The first {@linkcode MISSING_LISTED_MAX} of them. */
  readonly missing: readonly MissingChunk[];
}

/** Missing chunks that are named. */
export const MISSING_LISTED_MAX = 1_000;

/** Rows of one go: each is one look at the disk. */
const SLICE_ROWS = 128;
/** Chunks of blobs of one go: about 2 ms. */
const SLICE_PLACES = 1_024;

/** Audits. */
export class Auditor {
  readonly #deps: AuditorDeps;

  constructor(deps: AuditorDeps) {
    this.#deps = deps;
  }

  /**
   * One pass over everything.
   *
   * @throws The signal's reason.
   */
  async audit(signal?: AbortSignal): Promise<AuditReport> {
    const { keeper, log } = this.#deps;
    const adopted = await keeper.adoptStrangers(signal);
    const { checked, gone } = await this.#checkRows(signal);
    const { missingCount, missing } = await this.#findMissing(signal);
    if (gone > 0 || missingCount > 0) {
      log.warn("chunks_missing", {
        rows_gone: gone,
        missing: missingCount,
        hint: missingCount === 0 ? undefined : "put or get their blobs again",
      });
    }
    return { adopted, checked, gone, missingCount, missing };
  }

  async #checkRows(
    signal: AbortSignal | undefined,
  ): Promise<{ readonly checked: number; readonly gone: number }> {
    const { ledger: { db }, chunks, keeper } = this.#deps;
    let checked = 0;
    let gone = 0;
    let after: Uint8Array | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const rows = await listChunks(db, { limit: SLICE_ROWS, after });
      await markLoose(db, rows.map(({ hash }) => hash));
      const absent: Uint8Array[] = [];
      for (const { hash } of rows) {
        if (await chunks.has(hash) === undefined) absent.push(hash);
      }
      for (const hash of absent) {
        // What came meanwhile, or is just coming, has its row for a reason.
        if (keeper.guard.isUsed(hash) || await chunks.has(hash) !== undefined) continue;
        gone += await keeper.forget([hash]);
      }
      checked += rows.length;
      after = rows.at(-1)?.hash;
      if (rows.length < SLICE_ROWS) return { checked, gone };
      await this.#pause();
    }
  }

  async #findMissing(
    signal: AbortSignal | undefined,
  ): Promise<Pick<AuditReport, "missing" | "missingCount">> {
    const { db } = this.#deps.ledger;
    const missing: MissingChunk[] = [];
    let missingCount = 0;
    let after: PlaceCursor | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const until = await placeBehind(db, after, SLICE_PLACES);
      for (const chunk of await listMissing(db, { after, until })) {
        missingCount += 1;
        if (missing.length < MISSING_LISTED_MAX) missing.push(chunk);
      }
      if (until === undefined) return { missing, missingCount };
      after = until;
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.soon(resolve));
  }
}
