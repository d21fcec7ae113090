/**
 * Operators on nodes that can be put one behind the other (`capabilities.md` 10): keep some, reduce them
 * to a figure, take the nearest.
 *
 * They walk over what they are given; who has an index asks it first and gives them what it found.
 */
import { preparePredicate } from "../predicate/evaluate.ts";
import type { Predicate } from "../predicate/predicate.ts";
import type { TagKey } from "../tags/tag.ts";
import { createEqualsTest, createKeyTest } from "../tags/tag_lookup.ts";
import type { Candidate } from "./candidate.ts";
import type { Reducer } from "./reducers.ts";

/** Round-trip time to a node in milliseconds, `undefined` when it was not measured. */
export type RttOf = (nodeId: bigint) => number | undefined;

/** Options of {@linkcode nearestCandidates}. */
export interface NearestOptions {
  readonly rttMs: RttOf;
  /** How many; 0 or more. */
  readonly count: number;
}

/** A candidate and how far it is. */
export interface NearCandidate<C extends Candidate> {
  readonly candidate: C;
  readonly rttMs: number | undefined;
}

/**
 * Keeps those that satisfy the predicate, in order.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { filterCandidates } from "./operators.ts";
 * const nodes = [{ nodeId: 1n, capabilities: createCapabilitySet(["hardware.gpu"]) }];
 * const predicate = { kind: "exists", key: { axis: "hardware", key: "gpu" } } as const;
 * console.assert([...filterCandidates(nodes, predicate)].length === 1);
 * ```
 */
export function* filterCandidates<C extends Candidate>(
  candidates: Iterable<C>,
  predicate: Predicate,
): Generator<C> {
  const test = preparePredicate(predicate);
  for (const candidate of candidates) {
    if (test(candidate.capabilities)) yield candidate;
  }
}

/**
 * Keeps those with a tag of the key, in order.
 *
 * @param value Exactly this one; with any or none when left out.
 */
export function* matchAxis<C extends Candidate>(
  candidates: Iterable<C>,
  key: TagKey,
  value?: string,
): Generator<C> {
  const test = value === undefined ? createKeyTest(key) : createEqualsTest(key, value);
  for (const candidate of candidates) {
    if (test(candidate.capabilities.tags)) yield candidate;
  }
}

/** Reduces those that satisfy the predicate. */
export function aggregateCandidates<Result>(
  candidates: Iterable<Candidate>,
  predicate: Predicate,
  reducer: Reducer<Result>,
): Result {
  for (const candidate of filterCandidates(candidates, predicate)) reducer.observe(candidate);
  return reducer.result();
}

/**
 * The nearest of those that satisfy the predicate; those that were not measured come last, equally near
 * ones by their id.
 *
 * @throws RangeError when the count is none.
 */
export function nearestCandidates<C extends Candidate>(
  candidates: Iterable<C>,
  predicate: Predicate,
  { rttMs, count }: NearestOptions,
): readonly NearCandidate<C>[] {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new RangeError(`Cannot take the nearest: count is ${count}, must be 0 or more`);
  }
  if (count === 0) return [];
  const found: NearCandidate<C>[] = [];
  for (const candidate of filterCandidates(candidates, predicate)) {
    found.push({ candidate, rttMs: rttMs(candidate.nodeId) });
  }
  return found.sort(compareDistance).slice(0, count);
}

function compareDistance(left: NearCandidate<Candidate>, right: NearCandidate<Candidate>): number {
  const difference = (left.rttMs ?? Infinity) - (right.rttMs ?? Infinity);
  // Two that were not measured differ by NaN.
  if (difference !== 0 && !Number.isNaN(difference)) return difference;
  const [leftId, rightId] = [left.candidate.nodeId, right.candidate.nodeId];
  if (leftId === rightId) return 0;
  return leftId < rightId ? -1 : 1;
}
