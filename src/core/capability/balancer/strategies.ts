/**
 * The strategies: which of some candidates is next (`capabilities.md` 17). All of them are functions of
 * what is handed in; ties go to the candidate that joined first.
 */
import type { Endpoint } from "./endpoint.ts";

/** The eleven strategies by name. */
export const BALANCING_STRATEGIES = [
  "round_robin",
  "weighted_round_robin",
  "least_connections",
  "weighted_least_connections",
  "random",
  "weighted_random",
  "consistent_hash",
  "least_latency",
  "least_load",
  "power_of_two",
  "adaptive",
] as const;

/** A strategy. */
export type BalancingStrategy = (typeof BALANCING_STRATEGIES)[number];

/** Candidates of one pick; never empty. */
export type Candidates = readonly Endpoint[];

/** @param ticket Counts up from pick to pick. */
export function pickRoundRobin(candidates: Candidates, ticket: number): Endpoint {
  return at(candidates, ticket % candidates.length);
}

/** Weights of some candidates, added up one after the other. */
export interface WeightSums {
  readonly candidates: Candidates;
  /** Weight of each candidate and all before it. */
  readonly sums: Float64Array;
  /** Steps of a wheel on which the lightest candidate has one; 0 without any weight. */
  readonly steps: number;
}

/** Adds up the weights that health leaves the candidates. */
export function sumWeights(candidates: Candidates): WeightSums {
  const sums = new Float64Array(candidates.length);
  let total = 0;
  let least = Infinity;
  candidates.forEach(({ effectiveWeight }, i) => {
    total += effectiveWeight;
    sums[i] = total;
    if (effectiveWeight > 0 && effectiveWeight < least) least = effectiveWeight;
  });
  return { candidates, sums, steps: total === 0 ? 0 : Math.ceil(total / least) };
}

/**
 * As many steps as the lightest candidate fits into all of them; each step belongs to whoever covers its
 * place. Without any weight, round robin.
 *
 * @param ticket Counts up from pick to pick.
 */
export function pickWeightedRoundRobin(weights: WeightSums, ticket: number): Endpoint {
  const { steps } = weights;
  if (steps === 0) return pickRoundRobin(weights.candidates, ticket);
  return atWeight(weights, (ticket % steps) / steps);
}

/** @param random Below 1. */
export function pickRandom(candidates: Candidates, random: number): Endpoint {
  return at(candidates, Math.floor(random * candidates.length));
}

/** As often as its weight says; without any weight, at random. */
export function pickWeightedRandom(weights: WeightSums, random: number): Endpoint {
  return weights.steps === 0 ? pickRandom(weights.candidates, random) : atWeight(weights, random);
}

/** The candidate with the fewest calls under way. */
export function pickLeastConnections(candidates: Candidates): Endpoint {
  let best = at(candidates, 0);
  for (const candidate of candidates) {
    if (candidate.connections < best.connections) best = candidate;
  }
  return best;
}

/** The candidate with the fewest calls under way for its weight; who has no weight comes last. */
export function pickLeastWeightedConnections(candidates: Candidates): Endpoint {
  let best = at(candidates, 0);
  let least = Infinity;
  for (const candidate of candidates) {
    // Without weight this is infinite or no number: never less.
    const value = candidate.connections / candidate.effectiveWeight;
    if (!(value < least)) continue;
    best = candidate;
    least = value;
  }
  return best;
}

/** The candidate for which `measure` is least. */
export function pickLeast(
  candidates: Candidates,
  measure: (candidate: Endpoint) => number,
): Endpoint {
  let best = at(candidates, 0);
  let least = Infinity;
  for (const candidate of candidates) {
    const value = measure(candidate);
    if (!(value < least)) continue;
    best = candidate;
    least = value;
  }
  return best;
}

/** The less busy of two that are drawn. */
export function pickOfTwo(candidates: Candidates, first: number, second: number): Endpoint {
  const { length } = candidates;
  const left = Math.floor(first * length);
  if (length === 1) return at(candidates, 0);
  // The second draw is among the others.
  const right = (left + 1 + Math.floor(second * (length - 1))) % length;
  const [one, other] = [at(candidates, left), at(candidates, right)];
  return other.connections < one.connections ? other : one;
}

/** The candidate that covers a place of 0..1. */
function atWeight({ candidates, sums }: WeightSums, place: number): Endpoint {
  let low = 0;
  let high = sums.length - 1;
  const wanted = place * (sums[high] ?? 0);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sums[middle] ?? 0) > wanted) high = middle;
    else low = middle + 1;
  }
  // At the very end rounding may pass all weights: back to the last who has any.
  while (low > 0 && at(candidates, low).effectiveWeight === 0) low -= 1;
  return at(candidates, low);
}

function at(candidates: Candidates, index: number): Endpoint {
  const candidate = candidates[Math.min(index, candidates.length - 1)];
  if (candidate === undefined) {
    throw new RangeError("Cannot pick endpoint: there are no candidates");
  }
  return candidate;
}
