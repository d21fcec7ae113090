/**
 * Partitions of the mesh from the first suspicion to healing (`storage.md` 8). Only the failure of a subnet is
 * taken for one; when half of those who were lost are back, what both sides wrote can be reconciled.
 */
import type { ObservedHorizon } from "../causal/mod.ts";
import type { FailureVerdict } from "./correlated_failures.ts";
import { PARTITIONS_MAX } from "./limits.ts";

/** Phases of a partition. */
export type PartitionPhase = "suspected" | "confirmed" | "healing" | "healed";

/** A partition. */
export interface MeshPartition {
  readonly id: number;
  readonly phase: PartitionPhase;
  readonly subnet: number;
  /** Nodes that could be reached when it was found, and those that could not. */
  readonly ourSide: readonly bigint[];
  readonly otherSide: readonly bigint[];
  /** Those of the other side that are back. */
  readonly back: readonly bigint[];
  readonly detectedAtMs: number;
  /** What had been seen when it was found: from there on both sides wrote on their own. */
  readonly horizonAtSplit: ObservedHorizon;
}

interface Active {
  readonly id: number;
  readonly subnet: number;
  readonly ourSide: readonly bigint[];
  readonly otherSide: Set<bigint>;
  readonly back: Set<bigint>;
  readonly detectedAtMs: number;
  readonly horizonAtSplit: ObservedHorizon;
  isConfirmed: boolean;
  isHealed: boolean;
}

/** Keeps the partitions that are not over. */
export class PartitionDetector {
  readonly #healedShare: number;
  readonly #active = new Map<number, Active>();
  #nextId = 1;
  #refused = 0;

  /** @param healedShare Share of the other side that has to be back; default 0.5. */
  constructor(healedShare = 0.5) {
    this.#healedShare = healedShare;
  }

  get size(): number {
    return this.#active.size;
  }

  /** Partitions that were not taken up because there were 16. */
  get refused(): number {
    return this.#refused;
  }

  get(id: number): MeshPartition | undefined {
    const active = this.#active.get(id);
    return active === undefined ? undefined : partitionOf(active);
  }

  list(): MeshPartition[] {
    return [...this.#active.values()].map(partitionOf);
  }

  /**
   * Takes up a partition when a verdict looks like one. More failures in a subnet that is known to be cut off
   * belong to the same partition.
   *
   * @param horizon Copied.
   * @returns Its id; `undefined` for a verdict that is no partition, or when there are too many.
   */
  detect(
    verdict: FailureVerdict,
    healthy: readonly bigint[],
    horizon: ObservedHorizon,
    nowMs: number,
  ): number | undefined {
    if (verdict.kind !== "mass" || verdict.cause.kind !== "subnet") return undefined;
    const { subnet } = verdict.cause;
    for (const active of this.#active.values()) {
      if (active.subnet !== subnet || active.isHealed) continue;
      for (const node of verdict.failed) {
        active.otherSide.add(node);
        active.back.delete(node);
      }
      return active.id;
    }
    if (this.#active.size >= PARTITIONS_MAX) {
      this.#refused += 1;
      return undefined;
    }
    const id = this.#nextId++;
    this.#active.set(id, {
      id,
      subnet,
      ourSide: [...healthy],
      otherSide: new Set(verdict.failed),
      back: new Set(),
      detectedAtMs: nowMs,
      horizonAtSplit: horizon.copy(),
      isConfirmed: false,
      isHealed: false,
    });
    return id;
  }

  /** The other side is known to be alive; false when that is no news. */
  confirm(id: number): boolean {
    const active = this.#active.get(id);
    if (active === undefined || phaseOf(active) !== "suspected") return false;
    active.isConfirmed = true;
    return true;
  }

  /** A node is back; ids of the partitions that are healed by that. */
  nodeBack(node: bigint): number[] {
    const healed: number[] = [];
    for (const active of this.#active.values()) {
      if (active.isHealed || !active.otherSide.has(node)) continue;
      active.back.add(node);
      if (active.back.size / active.otherSide.size < this.#healedShare) continue;
      active.isHealed = true;
      healed.push(active.id);
    }
    return healed;
  }

  /** Takes the healed ones away, for what both sides wrote to be reconciled. */
  takeHealed(): MeshPartition[] {
    const healed = [...this.#active.values()].filter(({ isHealed }) => isHealed);
    for (const { id } of healed) this.#active.delete(id);
    return healed.map(partitionOf);
  }
}

function phaseOf({ isHealed, isConfirmed, back }: Active): PartitionPhase {
  if (isHealed) return "healed";
  if (back.size > 0) return "healing";
  return isConfirmed ? "confirmed" : "suspected";
}

function partitionOf(active: Active): MeshPartition {
  const { id, subnet, ourSide, otherSide, back, detectedAtMs, horizonAtSplit } = active;
  return {
    id,
    phase: phaseOf(active),
    subnet,
    ourSide,
    otherSide: [...otherSide],
    back: [...back],
    detectedAtMs,
    horizonAtSplit,
  };
}
