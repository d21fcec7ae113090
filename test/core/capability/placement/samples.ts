/** What the tests of this folder place, and where. */
import {
  type Artifact,
  type CapabilitySet,
  createCandidateSource,
  createCapabilitySet,
  createIntentRegistry,
  PlacementFilters,
  type PlacementKnowledge,
  type PlacementPolicy,
  preparePlacement,
} from "../../../../src/core/capability/mod.ts";

/** A set of tags and metadata. */
export function setOf(
  tags: readonly string[] = [],
  metadata: Readonly<Record<string, string>> = {},
): CapabilitySet {
  return createCapabilitySet(tags, Object.entries(metadata));
}

/** A daemon that requires tags, and says things of itself. */
export function daemon(
  tags: readonly string[] = [],
  metadata: Readonly<Record<string, string>> = {},
): Artifact {
  return { kind: "daemon", required: setOf(tags, metadata), optional: setOf() };
}

/** Score of one node with these tags; what nobody gave is not known. */
export function scoreOf(
  tags: readonly string[],
  policy: PlacementPolicy,
  artifact: Artifact = daemon(),
  knowledge: Partial<PlacementKnowledge> = {},
): number | undefined {
  const source = createCandidateSource([{ nodeId: 7n, capabilities: setOf(tags) }]);
  const intents = createIntentRegistry();
  const filters = new PlacementFilters();
  const deps = { source, knowledge: { intents, filters, ...knowledge } };
  return preparePlacement(policy, artifact, deps)(0);
}
