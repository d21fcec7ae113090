/** When a bus gets more shards, or fewer (`storage.md` 2.1). */
import { SHARDS_MAX } from "./limits.ts";
import { refused, refuseUnknown, requireAbove0, requireWhole } from "./option_checks.ts";

/** A policy of scaling. */
export interface ScalingPolicy {
  /** A ring fuller than this wants help: above 0, at most 1. */
  readonly fillMax: number;
  /** So does taking in an event that takes longer. */
  readonly pushLatencyMaxNs: number;
  /** So does an adapter that takes longer for a batch. */
  readonly flushLatencyMaxUs: number;
  readonly shardsMin: number;
  readonly shardsMax: number;
  /** Between two changes by itself. */
  readonly cooldownMs: number;
  /** How long a shard has to be underused before it goes. */
  readonly scaleDownDelayMs: number;
  /** A ring emptier than this, into which nothing comes, is underused: 0..1. */
  readonly underusedFill: number;
  /** How often all this is looked at. */
  readonly windowMs: number;
  /** Without it shards come and go by hand only. */
  readonly isAutomatic: boolean;
}

/**
 * The default. The reference asks for help when a push takes more than 5 ns, which a ring of atomics in native
 * code meets; here a push hashes and copies in about 200 ns, so the same sign of trouble is at a thousandfold.
 */
export const DEFAULT_SCALING = {
  fillMax: 0.7,
  pushLatencyMaxNs: 5_000,
  flushLatencyMaxUs: 1_000,
  shardsMin: 1,
  cooldownMs: 1_000,
  scaleDownDelayMs: 10_000,
  underusedFill: 0.1,
  windowMs: 100,
  isAutomatic: true,
} as const satisfies Omit<ScalingPolicy, "shardsMax">;

/** Policies for other needs, for a machine with so many processors. */
export const SCALING_PRESETS = {
  high_throughput: (processors: number): ScalingPolicy => ({
    fillMax: 0.6,
    pushLatencyMaxNs: 3_000,
    flushLatencyMaxUs: 500,
    shardsMin: Math.min(4, processors),
    shardsMax: 2 * processors,
    cooldownMs: 500,
    scaleDownDelayMs: 30_000,
    underusedFill: 0.05,
    windowMs: 50,
    isAutomatic: true,
  }),
  conservative: (processors: number): ScalingPolicy => ({
    fillMax: 0.8,
    pushLatencyMaxNs: 10_000,
    flushLatencyMaxUs: 2_000,
    shardsMin: 1,
    shardsMax: processors,
    cooldownMs: 5_000,
    scaleDownDelayMs: 60_000,
    underusedFill: 0.05,
    windowMs: 200,
    isAutomatic: true,
  }),
} as const;

/**
 * The whole policy; at most as many shards as processors, but not fewer than the bus starts with.
 *
 * @throws BusError `config`
 */
export function scalingOf(
  options: Partial<ScalingPolicy>,
  shards: number,
  processors: number,
): ScalingPolicy {
  refuseUnknown("scaling option", options, [...Object.keys(DEFAULT_SCALING), "shardsMax"]);
  const wanted = { ...DEFAULT_SCALING, shardsMax: processors, ...options };
  const policy = { ...wanted, shardsMax: Math.max(wanted.shardsMax, shards) };
  requireRatio("scaling.fillMax", policy.fillMax);
  if (policy.fillMax === 0) throw refused("scaling.fillMax", 0, "above 0, at most 1");
  requireRatio("scaling.underusedFill", policy.underusedFill);
  requireAbove0("scaling.pushLatencyMaxNs", policy.pushLatencyMaxNs);
  requireAbove0("scaling.flushLatencyMaxUs", policy.flushLatencyMaxUs);
  requireAbove0("scaling.cooldownMs", policy.cooldownMs);
  requireAbove0("scaling.scaleDownDelayMs", policy.scaleDownDelayMs);
  requireAbove0("scaling.windowMs", policy.windowMs);
  requireWhole("scaling.shardsMax", policy.shardsMax, 1, SHARDS_MAX);
  requireWhole("scaling.shardsMin", policy.shardsMin, 1, policy.shardsMax);
  return policy;
}

function requireRatio(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw refused(name, value, "a number of 0..1");
}
