/**
 * Finding aggregators (promise C10): by what they announce, and the nearest that is well.
 *
 * An aggregator announces `role:aggregator`, and `aggregates:` with the subnet it counts.
 */
import { formatSubnetId } from "../../../../base/mod.ts";

/** Tag of every aggregator. */
export const TAG_AGGREGATOR = "role:aggregator";

const SOURCE_PREFIX = "aggregates:";

/** Tags that an aggregator of a subnet announces. */
export function aggregatorTags(sourceSubnet: number): readonly string[] {
  return [TAG_AGGREGATOR, `${SOURCE_PREFIX}${formatSubnetId(sourceSubnet)}`];
}

/** A node, as far as the choice goes. */
export interface ReplicaCandidate {
  readonly nodeId: bigint;
  readonly tags: readonly string[];
  /** Neither suspected, nor said to be ill. */
  readonly isHealthy: boolean;
  /** `undefined` when nobody measured it. */
  readonly rttMs: number | undefined;
}

/** Nodes that aggregate a subnet and are well, the nearest first; of equally near ones the lower id. */
export function healthyReplicas(
  candidates: Iterable<ReplicaCandidate>,
  sourceSubnet: number,
): ReplicaCandidate[] {
  const wanted = aggregatorTags(sourceSubnet);
  return [...candidates]
    .filter(({ isHealthy, tags }) => isHealthy && wanted.every((tag) => tags.includes(tag)))
    .sort((left, right) =>
      (left.rttMs ?? Infinity) - (right.rttMs ?? Infinity) || compareIds(left, right)
    );
}

/** The nearest healthy aggregator of a subnet; `undefined` when there is none. */
export function nearestReplica(
  candidates: Iterable<ReplicaCandidate>,
  sourceSubnet: number,
): ReplicaCandidate | undefined {
  return healthyReplicas(candidates, sourceSubnet)[0];
}

function compareIds(left: ReplicaCandidate, right: ReplicaCandidate): number {
  return left.nodeId < right.nodeId ? -1 : left.nodeId > right.nodeId ? 1 : 0;
}
