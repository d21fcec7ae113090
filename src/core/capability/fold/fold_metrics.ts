/**
 * What is counted and measured of one fold (`capabilities.md` 11, promise C4), and its names in the
 * metrics of the node.
 */
import { FOLD_KIND_FACTS, type FoldKindNumber } from "./kinds.ts";

/** Counters of one fold. */
export interface FoldStats {
  readonly kind: FoldKindNumber;
  readonly channelPrefix: string;
  /** Expired ones count until they are swept. */
  readonly entries: number;
  readonly appliesInserted: number;
  readonly appliesReplaced: number;
  readonly appliesRejected: number;
  readonly appliesTotal: number;
  readonly expiries: number;
  readonly evictions: number;
  readonly queries: number;
}

/** Weight of the latest statement in the lag: what is shown follows about the last eight. */
const LAG_WEIGHT = 1 / 8;

/** Counts what a fold does. */
export class FoldMetrics {
  readonly #kind: FoldKindNumber;
  inserted = 0;
  replaced = 0;
  rejected = 0;
  expiries = 0;
  evictions = 0;
  #applyMs = 0;
  #queries = 0;
  #queryMs = 0;
  #lagMs: number | undefined;

  constructor(kind: FoldKindNumber) {
    this.#kind = kind;
  }

  /** Adds the time that one statement took, its signature included. */
  noteApply(durationMs: number): void {
    this.#applyMs += durationMs;
  }

  /** Counts a question and adds the time it took. */
  noteQuery(durationMs: number): void {
    this.#queries += 1;
    this.#queryMs += durationMs;
  }

  /** Notes how old a statement was on arrival; clocks that disagree make it 0 or too much. */
  noteLag(lagMs: number): void {
    const lag = Math.max(0, lagMs);
    this.#lagMs = this.#lagMs === undefined ? lag : this.#lagMs + (lag - this.#lagMs) * LAG_WEIGHT;
  }

  /** Counters for programs. */
  stats(entries: number): FoldStats {
    const { inserted, replaced, rejected, expiries, evictions } = this;
    return {
      kind: this.#kind,
      channelPrefix: FOLD_KIND_FACTS[this.#kind].channelPrefix,
      entries,
      appliesInserted: inserted,
      appliesReplaced: replaced,
      appliesRejected: rejected,
      appliesTotal: inserted + replaced + rejected,
      expiries,
      evictions,
      queries: this.#queries,
    };
  }

  /** Counters by the names of metrics; durations and lag in seconds. */
  rows(entries: number): Record<string, number> {
    const fold = `fold="${FOLD_KIND_FACTS[this.#kind].name}"`;
    const applies = (outcome: string) => `fold_applies_total{${fold},outcome="${outcome}"}`;
    const total = this.inserted + this.replaced + this.rejected;
    return {
      [`fold_entries_total{${fold}}`]: entries,
      [applies("inserted")]: this.inserted,
      [applies("replaced")]: this.replaced,
      [applies("rejected")]: this.rejected,
      [`fold_expiries_total{${fold}}`]: this.expiries,
      [`fold_evictions_total{${fold}}`]: this.evictions,
      [`fold_queries_total{${fold}}`]: this.#queries,
      [`fold_query_duration_sum{${fold}}`]: this.#queryMs / 1000,
      [`fold_query_duration_count{${fold}}`]: this.#queries,
      [`fold_apply_duration_sum{${fold}}`]: this.#applyMs / 1000,
      [`fold_apply_duration_count{${fold}}`]: total,
      [`fold_subscription_lag{${fold}}`]: (this.#lagMs ?? 0) / 1000,
    };
  }
}
