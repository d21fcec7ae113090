/** Which of the scored candidates gets the artifact (`capabilities.md` 16, `compute.md` 9.2). */
import type { PlacementScorer } from "./score.ts";
import type { PlacementSource } from "./source.ts";

/** What decides between candidates of the same score. */
export interface TieBreak {
  /** Round-trip time in milliseconds; nearer is better, and measured better than not measured. */
  readonly rttMs?: (nodeId: bigint) => number | undefined;
  /** How much of what is needed is free; more is better. Nobody knows it when left out. */
  readonly freeResource?: (nodeId: bigint) => number;
}

/** A node and what it scored. */
export interface Placement {
  readonly nodeId: bigint;
  /** Above 0, at most 1. */
  readonly score: number;
}

/**
 * Below zero when `left` is to be preferred among candidates of the same score: by distance, by what is
 * free, by the lower id.
 */
export function compareTied(left: bigint, right: bigint, tieBreak: TieBreak): number {
  const { rttMs, freeResource } = tieBreak;
  if (rttMs !== undefined) {
    const difference = (rttMs(left) ?? Infinity) - (rttMs(right) ?? Infinity);
    // Two that were not measured differ by NaN.
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  if (freeResource !== undefined) {
    const difference = freeResource(right) - freeResource(left);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/**
 * The best candidate; `undefined` when none can take the artifact. A score of 0 counts as not being able:
 * some axis ruled the node out.
 *
 * @param slots Places of the candidates.
 */
export function choosePlacement(
  slots: Iterable<number>,
  score: PlacementScorer,
  source: PlacementSource,
  tieBreak: TieBreak = {},
): Placement | undefined {
  let best: Placement | undefined;
  for (const slot of slots) {
    const value = score(slot);
    // Most candidates are not as good: they cost a comparison and no object.
    if (value === undefined || value === 0 || value < (best?.score ?? 0)) continue;
    const nodeId = source.nodeIdOf(slot);
    if (
      best === undefined || value > best.score || compareTied(nodeId, best.nodeId, tieBreak) < 0
    ) {
      best = { nodeId, score: value };
    }
  }
  return best;
}

/** All candidates that can take the artifact, the best first. */
export function rankPlacements(
  slots: Iterable<number>,
  score: PlacementScorer,
  source: PlacementSource,
  tieBreak: TieBreak = {},
): readonly Placement[] {
  const placements: Placement[] = [];
  for (const slot of slots) {
    const value = score(slot);
    if (value !== undefined && value > 0) {
      placements.push({ nodeId: source.nodeIdOf(slot), score: value });
    }
  }
  return placements.sort((left, right) =>
    right.score - left.score || compareTied(left.nodeId, right.nodeId, tieBreak)
  );
}
