/**
 * An aggregator: counts the folds of its subnet now and then, and tells when the counts have changed
 * (`capabilities.md` 14, `operator.md` C).
 *
 * Pure: the caller owns the timer, and publishes what a tick gives on {@linkcode summaryChannel}.
 */
import { isFoldKind } from "../kinds.ts";
import type { FoldSet } from "../fold_set.ts";
import { SUMMARIES_BEHIND_MAX, SUMMARIES_KEPT, SUMMARY_INTERVAL_MS } from "./limits.ts";
import { summariseMemberships, summariseReservations, type SummaryScope } from "./summarise.ts";
import type { FoldSummary, SummaryBucket } from "./summary.ts";

/** Counts one kind. */
export type Summariser = (folds: FoldSet, scope: SummaryScope) => readonly SummaryBucket[];

/** What an aggregator does. */
export interface AggregatorOptions {
  /** 0 for all nodes. */
  readonly sourceSubnet: number;
  /** Kinds that are counted, at least one. */
  readonly foldKinds: readonly number[];
  /** 30000 when left out. */
  readonly intervalMs?: number;
  /** Counts for kinds that have none of their own, or in the place of it. */
  readonly summarisers?: Readonly<Record<number, Summariser>>;
}

/** What {@linkcode Aggregator} needs. */
export interface AggregatorDeps {
  readonly folds: FoldSet;
  /** Subnet of a node by its signed word. */
  locate(node: bigint): number | undefined;
}

/** Counts that come with the program; routes are not counted. */
const SUMMARISERS: Readonly<Record<number, Summariser>> = {
  1: (folds, scope) =>
    folds.query(1, (fold, { nowMs }) => summariseMemberships(fold.values(nowMs), scope)),
  3: (folds, scope) =>
    folds.query(3, (fold, { nowMs }) => summariseReservations(fold.values(nowMs), scope)),
};

/** Counts and the latest of their results. */
export class Aggregator {
  readonly options: AggregatorOptions;
  readonly intervalMs: number;
  readonly #deps: AggregatorDeps;
  readonly #summarisers: ReadonlyMap<number, Summariser>;
  readonly #startedAt: number;
  #generation = 0n;
  /** The oldest first. */
  #kept: FoldSummary[] = [];
  /** The last of each kind, also when it is kept no more. */
  readonly #last = new Map<number, FoldSummary>();

  /**
   * @param nowMs Milliseconds that never go backwards.
   * @throws RangeError when no kind is named, one is that nobody can count, or the interval is not above 0.
   */
  constructor(deps: AggregatorDeps, options: AggregatorOptions, nowMs: number) {
    const { foldKinds, intervalMs = SUMMARY_INTERVAL_MS, summarisers = {} } = options;
    if (foldKinds.length === 0) throw new RangeError("Cannot aggregate: no fold kind is named");
    if (!(intervalMs > 0)) {
      throw new RangeError(`Cannot aggregate: interval is ${intervalMs} ms, must be above 0`);
    }
    const counted = new Map<number, Summariser>();
    for (const kind of foldKinds) {
      const summariser = summarisers[kind] ?? SUMMARISERS[kind];
      if (summariser === undefined || !isFoldKind(kind)) {
        throw new RangeError(`Cannot aggregate: nobody counts fold kind ${kind}`);
      }
      counted.set(kind, summariser);
    }
    this.options = options;
    this.intervalMs = intervalMs;
    this.#deps = deps;
    this.#summarisers = counted;
    this.#startedAt = nowMs;
  }

  /** Counts so far. */
  get generation(): bigint {
    return this.#generation;
  }

  /** The latest summaries of all kinds, oldest first. */
  get summaries(): readonly FoldSummary[] {
    return this.#kept;
  }

  /** True for a kind that is counted here. */
  counts(kind: number): boolean {
    return this.#summarisers.has(kind);
  }

  /** Counts everything; returns the summaries that differ from the last of their kind. */
  tick(): readonly FoldSummary[] {
    this.#generation += 1n;
    const { sourceSubnet } = this.options;
    const scope = { sourceSubnet, locate: (node: bigint) => this.#deps.locate(node) };
    const news: FoldSummary[] = [];
    for (const [foldKind, summarise] of this.#summarisers) {
      const buckets = summarise(this.#deps.folds, scope);
      if (isSame(buckets, this.#last.get(foldKind)?.buckets)) continue;
      const summary = { sourceSubnet, foldKind, generation: this.#generation, buckets };
      this.#last.set(foldKind, summary);
      news.push(summary);
    }
    if (news.length > 0) this.#kept = [...this.#kept, ...news].slice(-SUMMARIES_KEPT);
    return news;
  }

  /** Summaries of a kind that are kept, oldest first; the last of it at least. */
  latest(kind: number): readonly FoldSummary[] {
    const kept = this.#kept.filter(({ foldKind }) => foldKind === kind);
    const last = this.#last.get(kind);
    return kept.length > 0 || last === undefined ? kept : [last];
  }

  /**
   * Counts now.
   *
   * @returns What is new of a kind, or what is kept of it when nothing is; and all that is to be published.
   */
  summariseNow(kind: number): {
    readonly summaries: readonly FoldSummary[];
    readonly news: readonly FoldSummary[];
  } {
    const news = this.tick();
    const ofKind = news.filter(({ foldKind }) => foldKind === kind);
    return { summaries: ofKind.length > 0 ? ofKind : this.latest(kind), news };
  }

  /** False when it counted too seldom of late. */
  isHealthy(nowMs: number): boolean {
    const expected = Math.floor((nowMs - this.#startedAt) / this.intervalMs);
    return expected - Number(this.#generation) < SUMMARIES_BEHIND_MAX;
  }
}

function isSame(
  left: readonly SummaryBucket[],
  right: readonly SummaryBucket[] | undefined,
): boolean {
  return right !== undefined && left.length === right.length &&
    left.every(({ name, count }, i) => name === right[i]?.name && count === right[i]?.count);
}
