/**
 * From a fork to what it was forked from, and on to the root (`capabilities.md` 10, `promises.md` 80).
 *
 * Tags do not say which of a node's chains was forked from which: of a node with several parents the first
 * is followed that was not met yet.
 */
import type { Candidate } from "./candidate.ts";
import { TRAVERSE_DEPTH_MAX } from "./limits.ts";

/** One step of the way. */
export interface TraverseStep {
  readonly nodeId: bigint;
  /** `fork-of:…` where it starts, then `causal:…` of each parent that somebody holds. */
  readonly tag: string;
}

/** Options of {@linkcode traverseForks}. */
export interface TraverseOptions {
  /** Nodes with exactly this tag. */
  readonly holdersOf: (tag: string) => Iterable<Candidate>;
  /** Steps after the first, 0 to 1024. */
  readonly depth: number;
}

const FORK = "fork-of:";
const HOLDER = "causal:";

/**
 * Walks from a fork to its parents; of several nodes that hold a parent the one with the lowest id is
 * taken. Ends at the root, at a parent nobody holds, at one that was met before, and at the depth.
 *
 * @throws RangeError when the depth is none.
 *
 * @example
 * ```ts
 * import { traverseForks } from "./traverse.ts";
 * const start = { nodeId: 7n, tag: "fork-of:00000000000000ff" };
 * const path = traverseForks(start, { holdersOf: () => [], depth: 5 });
 * console.assert(path.length === 1);
 * ```
 */
export function traverseForks(
  start: TraverseStep,
  { holdersOf, depth }: TraverseOptions,
): readonly TraverseStep[] {
  if (!Number.isSafeInteger(depth) || depth < 0 || depth > TRAVERSE_DEPTH_MAX) {
    throw new RangeError(
      `Cannot walk to the root: depth is ${depth}, must be 0..${TRAVERSE_DEPTH_MAX}`,
    );
  }
  const path = [start];
  const met = new Set<string>();
  let edge: string | undefined = start.tag;
  while (path.length <= depth && edge?.startsWith(FORK) === true) {
    met.add(edge);
    const tag = HOLDER + edge.slice(FORK.length);
    const holder = lowest(holdersOf(tag));
    if (holder === undefined) break;
    path.push({ nodeId: holder.nodeId, tag });
    edge = holder.capabilities.tags.find((other) => other.startsWith(FORK) && !met.has(other));
  }
  return path;
}

function lowest(candidates: Iterable<Candidate>): Candidate | undefined {
  let found: Candidate | undefined;
  for (const candidate of candidates) {
    if (found === undefined || candidate.nodeId < found.nodeId) found = candidate;
  }
  return found;
}
