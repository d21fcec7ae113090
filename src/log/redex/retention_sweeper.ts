/**
 * Forgets what a channel's retention does not keep (`storage.md` 3.5), by itself and when asked, and
 * rewrites files. One such run at a time; appends, reads and tails go on meanwhile.
 */
import { type Clock, repeat } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { LogCounters } from "./counters.ts";
import { RedexError, toRedexError } from "./error.ts";
import type { RecordStore } from "./record_store.ts";
import type { FullRedexConfig } from "./redex_config.ts";

/** What a {@linkcode RetentionSweeper} works on. */
export interface RetentionSweeperDeps {
  readonly name: string;
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly counters: LogCounters;
  readonly log: Log;
}

/** Retention and compaction of one file. */
export class RetentionSweeper {
  readonly #deps: RetentionSweeperDeps;
  #config: FullRedexConfig;
  #stopTimer: () => void;
  #running: Promise<unknown> = Promise.resolve();
  /** A run has failed, and what it was to remove may still be there. */
  #isUnfinished = false;
  #isStopped = false;

  constructor(deps: RetentionSweeperDeps, config: FullRedexConfig) {
    this.#deps = deps;
    this.#config = config;
    this.#stopTimer = this.#startTimer();
  }

  /** Goes on by other rules. */
  setConfig(config: FullRedexConfig): void {
    this.#config = config;
    this.#stopTimer();
    if (!this.#isStopped) this.#stopTimer = this.#startTimer();
  }

  /** Runs retention; the number of events that went. */
  sweep(): Promise<number> {
    return this.#inTurn(async () => {
      const { store, counters, clock } = this.#deps;
      const { eventsMax, bytesMax, ageMaxMs } = this.#config.retention;
      counters.sweeps_total += 1;
      const notBeforeNs = ageMaxMs === undefined
        ? undefined
        : BigInt(Math.floor(clock.wallMs()) - ageMaxMs) * 1_000_000n;
      const before = store.firstSeq;
      const first = store.firstToKeep({ eventsMax, bytesMax, notBeforeNs });
      if (first <= before && !this.#isUnfinished) return 0;
      this.#isUnfinished = true;
      const eventsBefore = store.count;
      const appendedFrom = store.nextSeq;
      await store.compact(first, false);
      this.#isUnfinished = false;
      const gone = eventsBefore + (store.nextSeq - appendedFrom) - store.count;
      counters.events_swept_total += gone;
      return gone;
    });
  }

  /** Rewrites the file without what is gone or damaged. */
  compact(): Promise<void> {
    return this.#inTurn(async () => {
      const { store, counters } = this.#deps;
      await store.compact(store.firstSeq);
      counters.compactions_total += 1;
    });
  }

  /** Resolves when what runs is done; nothing begins any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopTimer();
    await this.#running;
  }

  #startTimer(): () => void {
    const { sweepMs } = this.#config;
    if (sweepMs === 0) return () => {};
    return repeat(this.#deps.clock, sweepMs, () => void this.#sweepInBackground());
  }

  /** One after the other. */
  #inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    const { name } = this.#deps;
    const run = this.#running.then(async () => {
      if (this.#isStopped) {
        throw new RedexError("closed", `Cannot sweep channel "${name}": it was closed`);
      }
      try {
        return await action();
      } catch (error) {
        this.#deps.counters.sweep_failures_total += 1;
        throw toRedexError(error, `Cannot rewrite channel "${name}"`);
      }
    });
    this.#running = run.catch(() => {});
    return run;
  }

  async #sweepInBackground(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      if (this.#isStopped) return;
      const { log, name } = this.#deps;
      log.error("log_sweep_failed", {
        channel: name,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
}
