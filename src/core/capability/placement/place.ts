/** Placement among the nodes of the capability index: few are scored, and none becomes an object. */
import type { Artifact } from "./artifact.ts";
import { choosePlacement, type Placement, rankPlacements, type TieBreak } from "./choose.ts";
import type { IndexSource } from "./index_source.ts";
import type { PlacementKnowledge, PlacementPolicy } from "./policy.ts";
import { type PlacementScorer, preparePlacement, tagsOfChosen } from "./score.ts";

/** What is to be placed, and how. */
export interface PlacementRequest {
  readonly policy: PlacementPolicy;
  readonly artifact: Artifact;
  readonly knowledge: PlacementKnowledge;
  /** Between equals; by id when left out. */
  readonly tieBreak?: TieBreak;
}

/**
 * The best node for an artifact; `undefined` when none can take it.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { CapabilityIndex } from "../index/capability_index.ts";
 * import { PlacementFilters } from "./custom_filters.ts";
 * import { createIndexSource } from "./index_source.ts";
 * import { createIntentRegistry } from "./intents.ts";
 * import { placeInIndex } from "./place.ts";
 * const index = new CapabilityIndex();
 * index.set(1n, { capabilities: createCapabilitySet(["hardware.cpu_cores=4"]) });
 * index.set(2n, { capabilities: createCapabilitySet(["hardware.cpu_cores=64"]) });
 * const placement = placeInIndex(createIndexSource(index), {
 *   policy: {},
 *   artifact: { kind: "chain", capabilities: createCapabilitySet([]) },
 *   knowledge: { intents: createIntentRegistry(), filters: new PlacementFilters() },
 * });
 * console.assert(placement?.nodeId === 2n);
 * ```
 */
export function placeInIndex(
  source: IndexSource,
  request: PlacementRequest,
): Placement | undefined {
  const { slots, score } = prepare(source, request);
  return choosePlacement(slots, score, source, request.tieBreak);
}

/** All nodes that can take an artifact, the best first; each once, with its best entry. */
export function rankInIndex(source: IndexSource, request: PlacementRequest): readonly Placement[] {
  const { slots, score } = prepare(source, request);
  const seen = new Set<bigint>();
  return rankPlacements(slots, score, source, request.tieBreak).filter(({ nodeId }) => {
    if (seen.has(nodeId)) return false;
    seen.add(nodeId);
    return true;
  });
}

function prepare(
  source: IndexSource,
  { policy, artifact, knowledge }: PlacementRequest,
): { readonly slots: Uint32Array; readonly score: PlacementScorer } {
  const slots = source.slotsWith(tagsOfChosen(policy, artifact));
  return {
    slots,
    score: preparePlacement(policy, artifact, { source, knowledge, haveTags: true }),
  };
}
