/**
 * Filters that programs add to placement, by name (`capabilities.md` 16, `compute.md` 9.4,
 * `promises.md` 83).
 *
 * A filter has the last word on a candidate: when it refuses or fails, the candidate is out.
 */
import type { Artifact } from "./artifact.ts";
import { PLACEMENT_FILTERS_MAX } from "./limits.ts";

/**
 * Scores a node for an artifact: 0..1, true for 1; `undefined`, false and NaN refuse it. It must answer at
 * once; whatever it throws refuses the node too.
 */
export type PlacementFilter = (nodeId: bigint, artifact: Artifact) => number | boolean | undefined;

/** What became of a filter's calls. */
export interface PlacementFilterCounters {
  readonly calls_total: number;
  /** Of them: nodes it refused. */
  readonly refused_total: number;
  /** Of them: calls in which it threw. */
  readonly failed_total: number;
}

interface Entry {
  readonly filter: PlacementFilter;
  readonly counters: { calls_total: number; refused_total: number; failed_total: number };
}

/** The filters of a node. */
export class PlacementFilters {
  readonly #entries = new Map<string, Entry>();

  /**
   * Adds a filter; one that is there is not replaced.
   *
   * @returns False when the name is taken; nothing changes then.
   * @throws RangeError when there are 256 already.
   */
  register(id: string, filter: PlacementFilter): boolean {
    if (this.#entries.has(id)) return false;
    if (this.#entries.size >= PLACEMENT_FILTERS_MAX) {
      throw new RangeError(
        `Cannot register filter "${id}": there are ${PLACEMENT_FILTERS_MAX}, which is the most`,
      );
    }
    const counters = { calls_total: 0, refused_total: 0, failed_total: 0 };
    this.#entries.set(id, { filter, counters });
    return true;
  }

  /** Takes a filter away, and its counters; false when there was none. */
  unregister(id: string): boolean {
    return this.#entries.delete(id);
  }

  /** True while the filter is registered. */
  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Counters by name. */
  get counters(): ReadonlyMap<string, PlacementFilterCounters> {
    return new Map([...this.#entries].map(([id, { counters }]) => [id, { ...counters }] as const));
  }

  /**
   * Asks a filter.
   *
   * @returns 0..1; `undefined` when it refuses the node, or nobody registered it.
   */
  score(id: string, nodeId: bigint, artifact: Artifact): number | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const { counters } = entry;
    counters.calls_total += 1;
    let answer: number | boolean | undefined;
    try {
      answer = entry.filter(nodeId, artifact);
    } catch {
      counters.failed_total += 1;
      return undefined;
    }
    const score = answer === true ? 1 : answer;
    if (typeof score === "number" && !Number.isNaN(score)) return Math.min(1, Math.max(0, score));
    counters.refused_total += 1;
    return undefined;
  }
}
