/**
 * What scores a candidate, each for itself (`capabilities.md` 16). An axis that plays no part is not made,
 * so that scoring pays for what the policy asks only.
 */
import type { TagKey } from "../tags/tag.ts";
import { type Artifact, artifactMetadata } from "./artifact.ts";
import { prepareRequirements } from "./intents.ts";
import { RESOURCE_AMOUNT_MAX } from "./limits.ts";
import {
  PLACEMENT_METADATA_KEYS,
  type PlacementKnowledge,
  type PlacementMetadataKeys,
  type PlacementPolicy,
} from "./policy.ts";
import type { NumberOf, PlacementSource, SlotTest } from "./source.ts";

/** Scores the candidate in a place: 0..1; what is outside, and NaN, is brought in by who multiplies. */
export type Axis = NumberOf;

/** What axes are made from. */
export interface AxisInput {
  /** True when all candidates to come are in one of the policy's scopes. */
  readonly areInScope: boolean;
  readonly policy: PlacementPolicy;
  readonly artifact: Artifact;
  readonly source: PlacementSource;
  readonly knowledge: PlacementKnowledge;
}

/** A resource and the amount that scores one half. */
interface Resource {
  /** Where its amount is announced; of several the first that a node has. */
  readonly keys: readonly TagKey[];
  readonly reference: number;
}

const SCOPE = "scope:";
const NOT_NEAR_SCORE = 0.7;
const LEADERSHIP_SHARE_MAX = 0.3;
const LEADERSHIP_PENALTY = 0.4;
const COMPUTE: readonly Resource[] = [
  { keys: [{ axis: "hardware", key: "cpu_cores" }], reference: 8 },
  { keys: [{ axis: "hardware", key: "memory_gb" }], reference: 16 },
  { keys: [{ axis: "hardware", key: "gpu.vram_gb" }], reference: 16 },
];
const STORAGE: readonly Resource[] = [{
  keys: [{ axis: "dataforts", key: "capacity_gb" }, { axis: "hardware", key: "storage_gb" }],
  reference: 1_000,
}];

/** All axes of a policy that play a part, except the custom filter. */
export function prepareAxes(input: AxisInput): readonly Axis[] {
  const tests = [scopeTest(input), proximityTest(input), intentTest(input)];
  const axes = [colocationAxis(input), resourceAxis(input), antiAffinityAxis(input)];
  return [...tests.map((test) => test && toAxis(test)), ...axes]
    .filter((axis) => axis !== undefined);
}

/** The tag of a scope, which may be named without its prefix. */
export function scopeTag(scope: string): string {
  return scope.startsWith(SCOPE) ? scope : SCOPE + scope;
}

function toAxis(test: SlotTest): Axis {
  return (slot) => test(slot) ? 1 : 0;
}

function scopeTest({ policy, source, areInScope }: AxisInput): SlotTest | undefined {
  const { scopes = [] } = policy;
  if (areInScope || scopes.length === 0) return undefined;
  const tests = scopes.map((scope) => source.tagTest(scopeTag(scope)));
  return (slot) => tests.some((test) => test(slot));
}

function proximityTest({ policy, source, knowledge }: AxisInput): SlotTest | undefined {
  const { rttMaxMs } = policy;
  const { rttMs } = knowledge;
  if (rttMaxMs === undefined || rttMs === undefined) return undefined;
  return (slot) => (rttMs(source.nodeIdOf(slot)) ?? 0) <= rttMaxMs;
}

/** An intent nobody registered needs nothing: it may be one of a newer program. */
function intentTest({ policy, artifact, source, knowledge }: AxisInput): SlotTest | undefined {
  const { intents } = knowledge;
  if (policy.intent === "strict") {
    const intent = artifactMetadata(artifact, metadataKeys(policy).intent);
    const requirements = intent === undefined ? undefined : intents.find(intent);
    return requirements && prepareRequirements(requirements, source);
  }
  if (policy.intent !== "any_of_local_capabilities" || intents.names.length === 0) return undefined;
  const tests = intents.names.map((name) => prepareRequirements(intents.find(name) ?? [], source));
  return (slot) => tests.some((test) => test(slot));
}

function colocationAxis({ policy, artifact, source }: AxisInput): Axis | undefined {
  const { colocation = "ignore" } = policy;
  if (colocation === "ignore") return undefined;
  const keys = metadataKeys(policy);
  const wanted = artifactMetadata(artifact, keys.colocateWith);
  const needed = artifactMetadata(artifact, keys.colocateWithStrict);
  if (wanted === undefined && needed === undefined) return undefined;
  const isNearNeeded = needed === undefined ? () => true : chainTest(needed, source);
  const isNearWanted = wanted === undefined ? () => true : chainTest(wanted, source);
  const far = colocation === "strict" ? 0 : NOT_NEAR_SCORE;
  return (slot) => {
    if (!isNearNeeded(slot)) return 0;
    return isNearWanted(slot) ? 1 : far;
  };
}

/** Does a candidate hold any part of the chain? */
function chainTest(chain: string, source: PlacementSource): SlotTest {
  const name = `causal:${chain}`;
  const tests = [
    source.tagTest(name),
    source.tagPrefixTest(`${name}:`),
    source.tagPrefixTest(`${name}[`),
  ];
  return (slot) => tests.some((test) => test(slot));
}

function resourceAxis({ policy, source }: AxisInput): Axis {
  const { resources = "compute" } = policy;
  const compute = meanOf(COMPUTE.map((resource) => scoreOf(resource, source)));
  const storage = meanOf(STORAGE.map((resource) => scoreOf(resource, source)));
  const score = { compute, storage, both: meanOf([compute, storage]) }[resources];
  return source.keep(resources, (slot) => orOne(score(slot)));
}

/** Of who announces nothing nothing can be said. */
function orOne(score: number): number {
  return Number.isNaN(score) ? 1 : score;
}

/** The mean of those that are numbers; NaN when none is. */
function meanOf(numbers: readonly NumberOf[]): NumberOf {
  return (slot) => {
    let sum = 0;
    let count = 0;
    for (const numberOf of numbers) {
      const number = numberOf(slot);
      if (Number.isNaN(number)) continue;
      sum += number;
      count += 1;
    }
    return sum / count;
  };
}

/** The score of one resource; NaN when a candidate does not announce it. */
function scoreOf({ keys, reference }: Resource, source: PlacementSource): NumberOf {
  const amounts = keys.map((key) => source.numberOf(key));
  return (slot) => {
    for (const amountOf of amounts) {
      const announced = amountOf(slot);
      if (Number.isNaN(announced)) continue;
      const amount = Math.min(RESOURCE_AMOUNT_MAX, Math.max(0, announced));
      return amount / (amount + reference);
    }
    return NaN;
  };
}

/** Who leads much already shall not lead more. */
function antiAffinityAxis({ policy, source, knowledge }: AxisInput): Axis | undefined {
  const { leadershipShare } = knowledge;
  if (leadershipShare === undefined) return undefined;
  const { leadershipShareMax = LEADERSHIP_SHARE_MAX } = policy;
  const { leadershipPenalty = LEADERSHIP_PENALTY } = policy;
  return (slot) => {
    const share = leadershipShare(source.nodeIdOf(slot)) ?? 0;
    // A share that is no number says nothing.
    return Number.isFinite(share) && share > leadershipShareMax ? leadershipPenalty : 1;
  };
}

function metadataKeys({ metadataKeys }: PlacementPolicy): PlacementMetadataKeys {
  return { ...PLACEMENT_METADATA_KEYS, ...metadataKeys };
}
