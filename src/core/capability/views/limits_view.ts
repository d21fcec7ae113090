/** How much of a node one may use, read from and written to tags `hardware.limits.…` (`capabilities.md` 3). */
import type { CapabilitySet } from "../capability_set.ts";
import { readProperties } from "../tags/axis_tags.ts";
import { cachedPerSet } from "./_cached_view.ts";
import { countOfText, TagWriter } from "./_view_text.ts";

/** Limits of use; zero means not told. */
export interface LimitsView {
  readonly maxConcurrentRequests: number;
  readonly maxTokensPerRequest: number;
  /** Requests per minute. */
  readonly rateLimitRpm: number;
  readonly maxBatchSize: number;
  readonly maxInputBytes: number;
  readonly maxOutputBytes: number;
}

type Limits = { -readonly [Name in keyof LimitsView]: number };

const LIMITS_KEY = "limits.";

const FIELDS: ReadonlyMap<string, keyof Limits> = new Map<string, keyof Limits>([
  ["max_concurrent_requests", "maxConcurrentRequests"],
  ["max_tokens_per_request", "maxTokensPerRequest"],
  ["rate_limit_rpm", "rateLimitRpm"],
  ["max_batch_size", "maxBatchSize"],
  ["max_input_bytes", "maxInputBytes"],
  ["max_output_bytes", "maxOutputBytes"],
]);

/**
 * The limits that a set tells of; read once per set.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { readLimitsView } from "./limits_view.ts";
 * const set = createCapabilitySet(["hardware.limits.rate_limit_rpm=600"]);
 * console.assert(readLimitsView(set).rateLimitRpm === 600);
 * ```
 */
export const readLimitsView: (set: CapabilitySet) => LimitsView = cachedPerSet(decodeLimitsView);

/** {@linkcode readLimitsView} for those who ask once and keep what they need. */
export function decodeLimitsView({ tags }: CapabilitySet): LimitsView {
  const limits: Limits = {
    maxConcurrentRequests: 0,
    maxTokensPerRequest: 0,
    rateLimitRpm: 0,
    maxBatchSize: 0,
    maxInputBytes: 0,
    maxOutputBytes: 0,
  };
  readProperties(tags, "hardware.limits.", (key, value) => {
    const field = FIELDS.get(key);
    if (field !== undefined) limits[field] = countOfText(value) ?? limits[field];
  });
  return limits;
}

/**
 * The tags of some limits, in no order.
 *
 * @throws RangeError when a number is no count.
 */
export function limitsTags(limits: Partial<LimitsView>): readonly string[] {
  const writer = new TagWriter("hardware", LIMITS_KEY);
  for (const [key, field] of FIELDS) writer.count(key, limits[field]);
  return writer.tags;
}

/** True for the keys of the axis that {@linkcode limitsTags} writes. */
export function isLimitsKey(key: string): boolean {
  return key.startsWith(LIMITS_KEY) && FIELDS.has(key.slice(LIMITS_KEY.length));
}
