/**
 * How long news takes from subnet to subnet (`storage.md` 8): a time per hop, times a factor for the level of the
 * hierarchy that is crossed, corrected by measured round trips.
 */
import { SUBNET_GLOBAL, SUBNET_LEVELS, subnetDepth, subnetLevel } from "../../base/mod.ts";

const HOP_NS = 100_000;
/** Of the same subnet, of the same parent, and so on. */
const LEVEL_FACTORS = [1, 5, 50, 500] as const;
/** A measurement that implies more is noise. */
const HOP_NS_MAX = 1_000_000_000;
const FIRST_SAMPLES = 10;
const FIRST_WEIGHT = 0.5;
const WEIGHT = 0.1;

/** Estimates and measures propagation; times are nanoseconds. */
export class PropagationModel {
  #hopNs: number;
  #samples = 0;

  /** @param hopNs Time of one hop within a subnet to start with. */
  constructor(hopNs = HOP_NS) {
    if (!(hopNs >= 0 && hopNs <= HOP_NS_MAX)) {
      throw new RangeError(`Cannot use hopNs: it is ${hopNs}, must be 0 to ${HOP_NS_MAX}`);
    }
    this.#hopNs = Math.trunc(hopNs);
  }

  /** Time of one hop within a subnet. */
  get hopNs(): number {
    return this.#hopNs;
  }

  get samples(): number {
    return this.#samples;
  }

  /** Time one way between two subnets. */
  estimateNs(source: number, target: number, hops: number): number {
    return this.#timeNs(crossingDepth(source, target), hops);
  }

  /** Learns from a round trip; one over no hops, or of no sensible length, says nothing. */
  calibrate(source: number, target: number, hops: number, roundTripNs: number): void {
    if (!(hops > 0) || !(roundTripNs >= 0) || !Number.isFinite(roundTripNs)) return;
    const factor = levelFactor(crossingDepth(source, target));
    const measured = Math.trunc(Math.min(roundTripNs / (2 * hops * factor), HOP_NS_MAX));
    const weight = this.#samples < FIRST_SAMPLES ? FIRST_WEIGHT : WEIGHT;
    this.#hopNs = Math.trunc(this.#hopNs * (1 - weight) + measured * weight);
    this.#samples += 1;
  }

  /** Deepest crossing, 0 to 3, that news makes in a time; `undefined` when it does not even make none. */
  depthWithin(budgetNs: number, hops: number): number | undefined {
    for (let depth = LEVEL_FACTORS.length - 1; depth >= 0; depth--) {
      if (this.#timeNs(depth, hops) <= budgetNs) return depth;
    }
    return undefined;
  }

  #timeNs(depth: number, hops: number): number {
    return Math.trunc(this.#hopNs * Math.max(1, hops) * levelFactor(depth));
  }
}

/** Levels of the hierarchy between two subnets: 0 for the same one, the depth of the deeper one at most. */
export function crossingDepth(left: number, right: number): number {
  if (left === right) return 0;
  const depth = Math.max(subnetDepth(left), subnetDepth(right));
  if (left === SUBNET_GLOBAL || right === SUBNET_GLOBAL) return depth;
  for (let level = 0; level < SUBNET_LEVELS; level++) {
    if (subnetLevel(left, level) !== subnetLevel(right, level)) return depth - level;
  }
  return 0;
}

function levelFactor(depth: number): number {
  return LEVEL_FACTORS[depth] ?? LEVEL_FACTORS[LEVEL_FACTORS.length - 1] ?? 1;
}
