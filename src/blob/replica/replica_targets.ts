/**
 * Which nodes are asked to take a copy of a blob: pure, and the same for everybody who knows the same.
 *
 * Copies are to fail one by one. So the first thing that counts is in which region and zone copies are
 * already; only then how near a node is and how much room it has. Ties go to the lower id.
 */
import { CANDIDATES_MAX } from "./limits.ts";
import type { DataPlace } from "../policy/scope.ts";

/** A node that might take a copy. */
export interface ReplicaCandidate extends DataPlace {
  readonly nodeId: bigint;
  /** It says that it stores for others. */
  readonly hasStorage: boolean;
  readonly isUnhealthy: boolean;
  /** `undefined` when it does not say. */
  readonly freeBytes: number | undefined;
  /** Milliseconds; `undefined` when it was not measured. */
  readonly rttMs: number | undefined;
  /** Copies it was asked for by this node and has not finished. */
  readonly asked: number;
}

/** What {@linkcode chooseReplicaTargets} goes by. */
export interface ReplicaChoice {
  readonly candidates: Iterable<ReplicaCandidate>;
  /** Where the blob is already, this node included. */
  readonly holders: readonly (DataPlace & { readonly nodeId: bigint })[];
  readonly sizeBytes: number;
  /** Nodes wanted. */
  readonly count: number;
}

/**
 * The nodes to ask, in this order; fewer than wanted when there are not so many.
 *
 * @example
 * ```ts
 * import { chooseReplicaTargets } from "./replica_targets.ts";
 * const node = (nodeId: bigint, region: string) => ({
 *   nodeId, region, hasStorage: true, isUnhealthy: false, freeBytes: 1e9, rttMs: 5, asked: 0,
 * });
 * const chosen = chooseReplicaTargets({
 *   candidates: [node(2n, "north"), node(3n, "north"), node(4n, "south")],
 *   holders: [], sizeBytes: 1_000, count: 2,
 * });
 * console.assert(chosen.join() === "2,4");
 * ```
 */
export function chooseReplicaTargets(choice: ReplicaChoice): readonly bigint[] {
  const { holders, sizeBytes, count } = choice;
  const held = new Set(holders.map(({ nodeId }) => nodeId));
  const left: ReplicaCandidate[] = [];
  for (const candidate of choice.candidates) {
    if (left.length >= CANDIDATES_MAX) break;
    if (!held.has(candidate.nodeId) && canTake(candidate, sizeBytes)) left.push(candidate);
  }
  const placed: DataPlace[] = [...holders];
  const chosen: bigint[] = [];
  while (chosen.length < count && left.length > 0) {
    let best = 0;
    for (let i = 1; i < left.length; i++) {
      if (compare(left[i], left[best], placed) < 0) best = i;
    }
    const [taken] = left.splice(best, 1);
    if (taken === undefined) break;
    chosen.push(taken.nodeId);
    placed.push(taken);
  }
  return chosen;
}

/** True for a node that says it stores, is well, and has the room or does not say. */
export function canTake(candidate: ReplicaCandidate, sizeBytes: number): boolean {
  const { hasStorage, isUnhealthy, freeBytes } = candidate;
  if (!hasStorage || isUnhealthy) return false;
  return freeBytes === undefined || freeBytes >= sizeBytes;
}

function compare(
  a: ReplicaCandidate | undefined,
  b: ReplicaCandidate | undefined,
  placed: readonly DataPlace[],
): number {
  if (a === undefined || b === undefined) return 0;
  return shared(a, placed, "region") - shared(b, placed, "region") ||
    shared(a, placed, "zone") - shared(b, placed, "zone") ||
    a.asked - b.asked ||
    distance(a) - distance(b) ||
    room(b) - room(a) ||
    (a.nodeId < b.nodeId ? -1 : 1);
}

/** Copies in the same region, or zone of it; those that do not say where they are, are in the same. */
function shared(
  { region, zone }: DataPlace,
  placed: readonly DataPlace[],
  domain: "region" | "zone",
): number {
  let count = 0;
  for (const place of placed) {
    if (place.region === region && (domain === "region" || place.zone === zone)) count += 1;
  }
  return count;
}

/** Round-trip times in steps of two: what differs by little is the same; not measured is far. */
function distance({ rttMs }: ReplicaCandidate): number {
  return rttMs === undefined ? 32 : Math.min(31, Math.ceil(Math.log2(Math.max(rttMs, 1))));
}

/** Free room in steps of two, for the same reason. */
function room({ freeBytes }: ReplicaCandidate): number {
  return freeBytes === undefined ? 0 : Math.floor(Math.log2(Math.max(freeBytes, 1)));
}
