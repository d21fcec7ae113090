/**
 * What clients of `fold.query` remember, so that they ask an aggregator once in a few seconds
 * (`capabilities.md` 14). Counts made on demand are never taken from here.
 */
import { SUMMARY_CACHE_MAX, SUMMARY_CACHE_MS } from "./limits.ts";
import type { FoldSummary } from "./summary.ts";

/** Options of {@linkcode SummaryCache}. */
export interface SummaryCacheOptions {
  /** 5000 when left out; 0 remembers nothing. */
  readonly ttlMs?: number;
}

interface Kept {
  readonly target: bigint;
  readonly summaries: readonly FoldSummary[];
  readonly expiresAt: number;
}

/** The latest answers by aggregator and kind. */
export class SummaryCache {
  readonly #ttlMs: number;
  /** The longest unasked first. */
  readonly #kept = new Map<string, Kept>();

  constructor(options: SummaryCacheOptions = {}) {
    this.#ttlMs = options.ttlMs ?? SUMMARY_CACHE_MS;
  }

  /** What a node answered on a kind; `undefined` when it has to be asked. */
  get(target: bigint, kind: number, nowMs: number): readonly FoldSummary[] | undefined {
    const name = nameOf(target, kind);
    const kept = this.#kept.get(name);
    if (kept === undefined) return undefined;
    this.#kept.delete(name);
    if (kept.expiresAt <= nowMs) return undefined;
    this.#kept.set(name, kept);
    return kept.summaries;
  }

  /** Remembers an answer. */
  set(target: bigint, kind: number, summaries: readonly FoldSummary[], nowMs: number): void {
    const name = nameOf(target, kind);
    this.#kept.delete(name);
    if (this.#ttlMs <= 0) return;
    if (this.#kept.size >= SUMMARY_CACHE_MAX) {
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest);
        break;
      }
    }
    this.#kept.set(name, { target, summaries, expiresAt: nowMs + this.#ttlMs });
  }

  /** Forgets what a node answered, or everything. */
  invalidate(target?: bigint): void {
    for (const [name, kept] of this.#kept) {
      if (target === undefined || kept.target === target) this.#kept.delete(name);
    }
  }
}

function nameOf(target: bigint, kind: number): string {
  return `${target}/${kind}`;
}
