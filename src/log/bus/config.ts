/**
 * Configuration of a bus: defaults, presets and what is refused (`storage.md` 2.1). An unknown option or mode is
 * an error, never a silent default.
 */
import {
  BATCH_EVENTS_MAX,
  RETRIES_MAX,
  RING_BYTES_DEFAULT,
  RING_SLOTS_MAX,
  RING_SLOTS_MIN,
  SHARDS_MAX,
} from "./limits.ts";
import { refused, refuseUnknown, requireAbove0, requireWhole } from "./option_checks.ts";
import { scalingOf, type ScalingPolicy } from "./scaling_policy.ts";
import type { BackpressureMode, BatchConfig } from "./types.ts";

/** All that a bus is made with. */
export interface BusConfig {
  /** Of the bus, in logs and in the channels of the log adapter. */
  readonly name: string;
  readonly shards: number;
  /** Slots per shard, a power of two; one stays free. */
  readonly ringSlots: number;
  /** Bytes that may wait per shard. */
  readonly ringBytesMax: number;
  readonly backpressure: BackpressureMode;
  readonly batch: BatchConfig;
  /** For each call to the adapter. */
  readonly adapterTimeoutMs: number;
  /** Tries of a batch besides the first. */
  readonly adapterRetries: number;
  /** Off when `undefined`. */
  readonly scaling: ScalingPolicy | undefined;
  /** File that keeps the producer's number over restarts; a new number at each start without it. */
  readonly producerNoncePath: string | undefined;
}

/** What a caller may set; what is left out has its default. */
export interface BusOptions {
  readonly name?: string;
  readonly shards?: number;
  readonly ringSlots?: number;
  readonly ringBytesMax?: number;
  /** The mode, or its text as {@linkcode parseBackpressure} reads it. */
  readonly backpressure?: BackpressureMode | string;
  readonly batch?: Partial<BatchConfig>;
  readonly adapterTimeoutMs?: number;
  readonly adapterRetries?: number;
  /** Parts of the policy, or false to keep the number of shards. */
  readonly scaling?: Partial<ScalingPolicy> | false;
  readonly producerNoncePath?: string;
}

const DEFAULT_BATCH: BatchConfig = {
  eventsMin: 1_000,
  eventsMax: 10_000,
  delayMaxMs: 10,
  isAdaptive: true,
  velocityWindowMs: 100,
};

/** Batches for other needs than the usual. */
export const BATCH_PRESETS = {
  high_throughput: {
    eventsMin: 5_000,
    eventsMax: 50_000,
    delayMaxMs: 5,
    isAdaptive: true,
    velocityWindowMs: 50,
  },
  low_latency: {
    eventsMin: 100,
    eventsMax: 1_000,
    delayMaxMs: 1,
    isAdaptive: true,
    velocityWindowMs: 20,
  },
} as const satisfies Record<string, BatchConfig>;

const OPTION_KEYS: readonly (keyof BusOptions)[] = [
  "name",
  "shards",
  "ringSlots",
  "ringBytesMax",
  "backpressure",
  "batch",
  "adapterTimeoutMs",
  "adapterRetries",
  "scaling",
  "producerNoncePath",
];
/** A name is a part of a channel's. */
const NAME = /^[a-z0-9_-]{1,64}$/;
const MODES = ["drop_newest", "drop_oldest", "fail_producer", "sample:RATE"];

/**
 * The whole configuration.
 *
 * @param processors Processors of the machine: the default number of shards.
 * @throws BusError `config` naming the option, what it is and what it has to be.
 *
 * @example
 * ```ts
 * import { createBusConfig } from "./config.ts";
 * const config = createBusConfig({ backpressure: "sample:10" }, 4);
 * console.assert(config.shards === 4 && config.backpressure.kind === "sample");
 * ```
 */
export function createBusConfig(options: BusOptions, processors: number): BusConfig {
  refuseUnknown("option", options, OPTION_KEYS);
  const config: BusConfig = {
    name: options.name ?? "default",
    shards: options.shards ?? Math.max(1, Math.min(processors, SHARDS_MAX)),
    ringSlots: options.ringSlots ?? 1 << 20,
    ringBytesMax: options.ringBytesMax ?? RING_BYTES_DEFAULT,
    backpressure: backpressureOf(options.backpressure ?? { kind: "drop-oldest" }),
    batch: batchOf(options.batch ?? {}),
    adapterTimeoutMs: options.adapterTimeoutMs ?? 30_000,
    adapterRetries: options.adapterRetries ?? 0,
    scaling: undefined,
    producerNoncePath: options.producerNoncePath,
  };
  if (!NAME.test(config.name)) {
    throw refused("name", config.name, "1 to 64 of a-z, 0-9, - and _");
  }
  requireWhole("shards", config.shards, 1, SHARDS_MAX);
  requireWhole("ringSlots", config.ringSlots, RING_SLOTS_MIN, RING_SLOTS_MAX);
  if ((config.ringSlots & (config.ringSlots - 1)) !== 0) {
    throw refused("ringSlots", config.ringSlots, "a power of two");
  }
  requireWhole("ringBytesMax", config.ringBytesMax, 1, Number.MAX_SAFE_INTEGER);
  requireAbove0("adapterTimeoutMs", config.adapterTimeoutMs);
  requireWhole("adapterRetries", config.adapterRetries, 0, RETRIES_MAX);
  if (options.scaling === false) return config;
  return { ...config, scaling: scalingOf(options.scaling ?? {}, config.shards, processors) };
}

/**
 * Reads `drop_newest`, `drop_oldest`, `fail_producer` or `sample:RATE`; `-` may stand for `_`.
 *
 * @throws BusError `config` for anything else.
 */
export function parseBackpressure(text: string): BackpressureMode {
  const mode = text.replaceAll("-", "_");
  if (mode === "drop_newest") return { kind: "drop-newest" };
  if (mode === "drop_oldest") return { kind: "drop-oldest" };
  if (mode === "fail_producer") return { kind: "fail-producer" };
  const rate = /^sample:([0-9]{1,10})$/.exec(mode)?.[1];
  if (rate === undefined) throw refused("backpressure", text, `one of ${MODES.join(", ")}`);
  return backpressureOf({ kind: "sample", rate: Number(rate) });
}

/** The text that {@linkcode parseBackpressure} reads. */
export function formatBackpressure(mode: BackpressureMode): string {
  return mode.kind === "sample" ? `sample:${mode.rate}` : mode.kind.replaceAll("-", "_");
}

function backpressureOf(mode: BackpressureMode | string): BackpressureMode {
  if (typeof mode === "string") return parseBackpressure(mode);
  switch (mode.kind) {
    case "drop-newest":
    case "drop-oldest":
    case "fail-producer":
      return { kind: mode.kind };
    case "sample":
      requireWhole("backpressure sample rate", mode.rate, 1, 0xffff_ffff);
      return { kind: "sample", rate: mode.rate };
    default:
      throw refused("backpressure", kindOf(mode), `one of ${MODES.join(", ")}`);
  }
}

function kindOf(mode: unknown): unknown {
  return typeof mode === "object" && mode !== null && "kind" in mode ? mode.kind : mode;
}

function batchOf(options: Partial<BatchConfig>): BatchConfig {
  refuseUnknown("batch option", options, Object.keys(DEFAULT_BATCH));
  const batch = { ...DEFAULT_BATCH, ...options };
  requireWhole("batch.eventsMax", batch.eventsMax, 1, BATCH_EVENTS_MAX);
  requireWhole("batch.eventsMin", batch.eventsMin, 1, batch.eventsMax);
  requireAbove0("batch.delayMaxMs", batch.delayMaxMs);
  if (typeof batch.isAdaptive !== "boolean") {
    throw refused("batch.isAdaptive", batch.isAdaptive, "true or false");
  }
  if (batch.isAdaptive) requireAbove0("batch.velocityWindowMs", batch.velocityWindowMs);
  return batch;
}
