/**
 * How much something is read: a rate that each read raises by one and that halves with time
 * (`dataforts.md` 16). Pure numbers; who keeps them is `heat_registry.ts`.
 */

/** One rate; time and half-life in milliseconds. */
export interface Heat {
  readonly rate: number;
  readonly atMs: number;
}

/** When a changed rate is told to others. */
export interface EmissionRule {
  readonly isEnabled: boolean;
  /** So many times more, or less, than what was told last. */
  readonly thresholdRatio: number;
}

/** What to do about a rate: tell it, take back what was told, or nothing. */
export type Emission = "emit" | "withdraw" | "suppress";

/** Numbers at and below this say nothing. */
const EPSILON = Number.EPSILON;
const HALF_LIVES_MAX = 64;
const REFERENCE_MIN = 1.5;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const BLOB_TAG = /^heat:blob:([0-9a-f]{64})=(.+)$/;

/**
 * What is left of a rate.
 *
 * @param halfLifeMs 0 means that it stays as it is.
 *
 * @example
 * ```ts
 * import { decayRate } from "./heat.ts";
 * console.assert(decayRate(8, 120_000, 60_000) === 2);
 * ```
 */
export function decayRate(rate: number, elapsedMs: number, halfLifeMs: number): number {
  if (halfLifeMs <= 0 || elapsedMs <= 0) return rate;
  const halfLives = elapsedMs / halfLifeMs;
  if (halfLives > HALF_LIVES_MAX) return 0;
  const left = rate * 0.5 ** halfLives;
  return left < EPSILON ? 0 : left;
}

/** The heat now. */
export function coolHeat(heat: Heat, nowMs: number, halfLifeMs: number): Heat {
  return { rate: decayRate(heat.rate, nowMs - heat.atMs, halfLifeMs), atMs: nowMs };
}

/** The heat after one more read. */
export function bumpHeat(heat: Heat, nowMs: number, halfLifeMs: number): Heat {
  return { rate: decayRate(heat.rate, nowMs - heat.atMs, halfLifeMs) + 1, atMs: nowMs };
}

/**
 * A chain's rate as a number of 0 to 1, on a logarithmic scale.
 *
 * @param reference The rate that counts as 1; at least 1.5 is taken.
 */
export function normalizeRate(rate: number, reference: number): number {
  if (!(rate > 0)) return 0;
  const scale = Math.log1p(Math.max(REFERENCE_MIN, reference));
  return Math.min(1, Math.log1p(rate) / scale);
}

/**
 * Whether a rate is told.
 *
 * @param lastEmitted What was told last; `undefined` when nothing was.
 */
export function decideEmission(
  rate: number,
  lastEmitted: number | undefined,
  rule: EmissionRule,
): Emission {
  if (!rule.isEnabled || !Number.isFinite(rate) || rate < 0) return "suppress";
  if (lastEmitted === undefined) return rate > 0 ? "emit" : "suppress";
  if (rate === 0) return lastEmitted > 0 ? "withdraw" : "suppress";
  // A quotient of numbers that small is noise.
  if (!isSolid(rate) || !isSolid(lastEmitted)) return "emit";
  const change = rate > lastEmitted ? rate / lastEmitted : lastEmitted / rate;
  return change >= rule.thresholdRatio ? "emit" : "suppress";
}

/** The chunk and the rate of a `heat:blob:` tag, whatever the number; `undefined` when it is none. */
export function parseBlobHeat(tag: string): { hex: string; rate: number } | undefined {
  const [, hex, text = ""] = BLOB_TAG.exec(tag) ?? [];
  const rate = DECIMAL.test(text) ? Number(text) : NaN;
  return hex === undefined || !Number.isFinite(rate) ? undefined : { hex, rate };
}

function isSolid(rate: number): boolean {
  return Number.isFinite(rate) && rate > EPSILON;
}
