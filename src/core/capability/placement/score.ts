/**
 * How well candidates suit an artifact (`capabilities.md` 16): first what puts a candidate out, then the
 * product of all axes.
 *
 * Choosing among scored candidates is `choose.ts`.
 */
import { TAG_DRAINING } from "../draining.ts";
import { unsignedOfText } from "../predicate/number_text.ts";
import type { Artifact } from "./artifact.ts";
import { prepareAxes, scopeTag } from "./axes.ts";
import type { PlacementKnowledge, PlacementPolicy } from "./policy.ts";
import type { PlacementSource, SlotTest } from "./source.ts";

/** Scores the candidate in a place: 0..1, or `undefined` when it cannot take the artifact at all. */
export type PlacementScorer = (slot: number) => number | undefined;

/** What {@linkcode preparePlacement} needs. */
export interface PlacementDeps {
  readonly source: PlacementSource;
  readonly knowledge: PlacementKnowledge;
  /** True when only candidates are asked about that have what {@linkcode tagsOfChosen} lists. */
  readonly haveTags?: boolean;
}

const GIB = 1n << 30n;
const BLOB_STORAGE = { axis: "dataforts", key: "blob.storage" } as const;
const BLOB_FREE_GB = { axis: "dataforts", key: "blob.disk_free_gb" } as const;
const TAG_BLOB_STORAGE_UNHEALTHY = "dataforts:blob-storage-unhealthy";

/**
 * A scorer for one artifact and many candidates: whatever can be looked up once is.
 *
 * It is of the moment: candidates that change later are to be asked by a scorer made later.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { PlacementFilters } from "./custom_filters.ts";
 * import { createIntentRegistry } from "./intents.ts";
 * import { preparePlacement } from "./score.ts";
 * import { createCandidateSource } from "./source.ts";
 * const capabilities = createCapabilitySet(["hardware.gpu", "hardware.cpu_cores=8"]);
 * const source = createCandidateSource([{ nodeId: 1n, capabilities }]);
 * const knowledge = { intents: createIntentRegistry(), filters: new PlacementFilters() };
 * const artifact = {
 *   kind: "daemon",
 *   required: createCapabilitySet(["hardware.gpu"]),
 *   optional: createCapabilitySet([]),
 * } as const;
 * console.assert(preparePlacement({}, artifact, { source, knowledge })(0) === 0.5);
 * ```
 */
export function preparePlacement(
  policy: PlacementPolicy,
  artifact: Artifact,
  { source, knowledge, haveTags = false }: PlacementDeps,
): PlacementScorer {
  const isDraining = source.tagTest(TAG_DRAINING);
  const conditions = [
    (slot: number) => !isDraining(slot),
    ...(haveTags && artifact.kind === "daemon" ? [] : prepareConditions(artifact, source)),
  ];
  const axes = prepareAxes({ policy, artifact, source, knowledge, areInScope: haveTags });
  const { customFilter } = policy;
  return (slot) => {
    for (const isMet of conditions) if (!isMet(slot)) return undefined;
    let score = 1;
    for (const axis of axes) {
      score *= toUnit(axis(slot));
      // A filter may still say that the node is out.
      if (score === 0 && customFilter === undefined) return 0;
    }
    if (customFilter === undefined) return score;
    const custom = knowledge.filters.score(customFilter, source.nodeIdOf(slot), artifact);
    return custom === undefined ? undefined : score * custom;
  };
}

/**
 * Tags that whoever is chosen has: of each list at least one, by meaning. With an index this is what
 * leaves few to be scored.
 */
export function tagsOfChosen(
  policy: PlacementPolicy,
  artifact: Artifact,
): readonly (readonly string[])[] {
  const lists = artifact.kind === "daemon" ? artifact.required.tags.map((tag) => [tag]) : [];
  const { scopes = [] } = policy;
  return scopes.length === 0 ? lists : [...lists, scopes.map(scopeTag)];
}

/**
 * The scorer of before there were axes: 1 with all of these tags, `undefined` without.
 *
 * @param tags Compared by meaning.
 */
export function prepareLegacyPlacement(
  tags: readonly string[],
  source: PlacementSource,
): PlacementScorer {
  const tests = tags.map((tag) => source.tagTest(tag));
  return (slot) => tests.every((test) => test(slot)) ? 1 : undefined;
}

/** What a candidate must have, whatever it scores. */
function prepareConditions(artifact: Artifact, source: PlacementSource): readonly SlotTest[] {
  if (artifact.kind === "daemon") {
    return artifact.required.tags.map((tag) => source.tagTest(tag));
  }
  if (artifact.kind !== "blob") return [];
  const isUnhealthy = source.tagTest(TAG_BLOB_STORAGE_UNHEALTHY);
  const neededGb = (artifact.sizeBytes + GIB - 1n) / GIB;
  const conditions = [source.keyTest(BLOB_STORAGE), (slot: number) => !isUnhealthy(slot)];
  // Who does not tell how much is free has none, which is enough for nothing.
  if (neededGb === 0n) return conditions;
  const hasRoom = source.valueTest(
    BLOB_FREE_GB,
    (value) => (unsignedOfText(value) ?? 0) >= neededGb,
  );
  return [...conditions, hasRoom];
}

function toUnit(score: number): number {
  return Number.isNaN(score) ? 0 : Math.min(1, Math.max(0, score));
}
