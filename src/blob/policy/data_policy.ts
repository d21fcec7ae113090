/**
 * The policies of blobs as one record: what `net blob policy show` prints and `set` changes on a running node.
 * Everything that moves bytes by itself is off until somebody turns it on.
 *
 * A change is checked as a whole: it is taken completely or not at all.
 */
import { NetError } from "../../base/mod.ts";
import { LINK_BYTES_PER_SECOND } from "./bandwidth.ts";
import { RETENTION_FLOOR_MS } from "./gc.ts";
import { HEALTH_MARKS } from "./health_gate.ts";
import { TREE_FAN_OUT } from "../limits.ts";
import { GIB, HEAT_ENTRIES_MAX, HOUR_MS, MIB } from "./limits.ts";
import { formatSetting, parseSetting, POLICY_FIELDS, type PolicyField } from "./policy_fields.ts";
import type { DataScope } from "./scope.ts";

/** How an intent decides on greedy caching. */
export type IntentMatch = "any_local_capability" | "strict" | "disabled";

/** How the wish to be near another chain decides on greedy caching. */
export type Colocation = "ignore" | "soft" | "strict";

/** Every setting; times in milliseconds, sizes in bytes. */
export interface DataPolicy {
  readonly greedy: {
    readonly isEnabled: boolean;
    readonly scope: DataScope;
    readonly proximity: number;
    /** Labels of which a chain must carry one; empty takes all. */
    readonly scopes: readonly string[];
    readonly proximityMaxRttMs: number;
    readonly perChannelCapBytes: number;
    readonly totalCapBytes: number;
    readonly bandwidthFraction: number;
    readonly intentMatch: IntentMatch;
    readonly colocation: Colocation;
    readonly observersMax: number;
  };
  readonly gravity: {
    readonly isEnabled: boolean;
    readonly scope: DataScope;
    readonly proximity: number;
    readonly emitThresholdRatio: number;
    readonly chainHalfLifeMs: number;
    readonly chunkHalfLifeMs: number;
    readonly normalizationReference: number;
    readonly registryEntriesMax: number;
    readonly tickIntervalMs: number;
  };
  readonly overflow: {
    readonly isEnabled: boolean;
    readonly highWaterRatio: number;
    readonly lowWaterRatio: number;
    readonly maxPushesPerTick: number;
    readonly scope: DataScope;
    readonly tickIntervalMs: number;
    /** So many holders let a chunk go that is referred to; 0: it stays. */
    readonly spillHoldersMin: number;
  };
  readonly moves: {
    readonly perHourMax: number;
    readonly restMs: number;
  };
  /** Copies that other nodes ask this one to keep. */
  readonly replicas: {
    readonly isAccepting: boolean;
    readonly capBytes: number;
    /** Other nodes that shall have what is put here; 0 for none unless a put says so. */
    readonly wantedPeers: number;
  };
  /** Copies of what was fetched. */
  readonly cache: {
    readonly isEnabled: boolean;
    readonly capBytes: number;
  };
  /** The form of blobs that are put without asking for one. */
  readonly put: {
    readonly chunking: "fixed" | "content_defined";
    /** Data and parity chunks of a stripe; both 0: copies alone. */
    readonly dataChunks: number;
    readonly parityChunks: number;
  };
  readonly read: {
    /** Nodes of trees that are kept in memory; 0 keeps none. */
    readonly nodeCacheBytes: number;
    /** Writes back what had to be restored. */
    readonly repairs: boolean;
  };
  /** Gets. */
  readonly fetch: {
    readonly keepsChunks: boolean;
    /** What peers may do about them. */
    readonly remote: "off" | "list" | "cancel";
  };
  /** Puts that can be resumed. */
  readonly staging: {
    readonly checkpointBytes: number;
    readonly ttlMs: number;
  };
  readonly gc: {
    readonly retentionFloorMs: number;
    /** Share of the quota from which the floor does not count. */
    readonly pressureRatio: number;
  };
  readonly health: {
    readonly unhealthyRatio: number;
    readonly healthyRatio: number;
  };
  readonly bandwidth: {
    /** Measured when 0. */
    readonly nicPeakBytesPerSecond: number;
    readonly backgroundFraction: number;
    readonly realtimeFraction: number;
  };
}

/** The policy of a node that nobody configured. */
export const DEFAULT_DATA_POLICY: DataPolicy = {
  greedy: {
    isEnabled: false,
    scope: "mesh",
    proximity: 255,
    scopes: [],
    proximityMaxRttMs: 200,
    perChannelCapBytes: 100 * MIB,
    totalCapBytes: 10 * GIB,
    bandwidthFraction: 0.25,
    intentMatch: "any_local_capability",
    colocation: "soft",
    observersMax: 1_024,
  },
  gravity: {
    isEnabled: false,
    scope: "mesh",
    proximity: 255,
    emitThresholdRatio: 2,
    chainHalfLifeMs: 1_800_000,
    chunkHalfLifeMs: 60_000,
    normalizationReference: 1_000,
    registryEntriesMax: HEAT_ENTRIES_MAX,
    tickIntervalMs: 5_000,
  },
  overflow: {
    isEnabled: false,
    highWaterRatio: 0.85,
    lowWaterRatio: 0.7,
    maxPushesPerTick: 16,
    scope: "mesh",
    tickIntervalMs: 30_000,
    spillHoldersMin: 0,
  },
  // One in seven seconds: 2 GiB an hour in chunks of 4 MiB, which a slow disk bears beside its work.
  moves: { perHourMax: 512, restMs: 3_600_000 },
  // The quota of the store bounds them in any case.
  replicas: { isAccepting: true, capBytes: 1_024 * GIB, wantedPeers: 0 },
  cache: { isEnabled: false, capBytes: GIB },
  put: { chunking: "fixed", dataChunks: 0, parityChunks: 0 },
  read: { nodeCacheBytes: 0, repairs: false },
  fetch: { keepsChunks: true, remote: "cancel" },
  staging: { checkpointBytes: 64 * MIB, ttlMs: 24 * HOUR_MS },
  gc: { retentionFloorMs: RETENTION_FLOOR_MS, pressureRatio: 0.95 },
  health: HEALTH_MARKS,
  bandwidth: { nicPeakBytesPerSecond: 0, backgroundFraction: 0.25, realtimeFraction: 0.5 },
};

/** One line of `show`. */
export interface PolicySetting {
  /** For example `overflow.high_water_ratio`. */
  readonly key: string;
  readonly value: string;
  readonly isDefault: boolean;
  readonly about: string;
}

/** Every setting with its value as `set` takes it. */
export function showDataPolicy(policy: DataPolicy): PolicySetting[] {
  return POLICY_FIELDS.map((field) => {
    const value = formatSetting(field, valueOf(policy, field));
    const isDefault = value === formatSetting(field, valueOf(DEFAULT_DATA_POLICY, field));
    return { key: field.key, value, isDefault, about: field.about };
  });
}

/**
 * The policy with other settings. `overflow=on` alone is taken for `overflow.enabled=on`.
 *
 * @param changes Settings with their values as texts, `default` for the one it had.
 * @throws NetError `usage` for keys and values that there are not, and for settings that do not fit together.
 *
 * @example
 * ```ts
 * import { DEFAULT_DATA_POLICY, setDataPolicy } from "./data_policy.ts";
 * const policy = setDataPolicy(DEFAULT_DATA_POLICY, [["overflow", "on"], ["overflow.scope", "zone"]]);
 * console.assert(policy.overflow.isEnabled && policy.overflow.scope === "zone");
 * ```
 */
export function setDataPolicy(
  policy: DataPolicy,
  changes: Iterable<readonly [key: string, value: string]>,
): DataPolicy {
  let next = policy;
  for (const [key, text] of changes) {
    const field = fieldOf(key);
    const value = text === "default"
      ? valueOf(DEFAULT_DATA_POLICY, field)
      : parseSetting(field, text);
    const group = { ...Reflect.get(next, field.group), [field.name]: value };
    next = { ...next, [field.group]: group };
  }
  requireConsistent(next);
  return next;
}

/** Speed of the link: what was set, or else what was measured, or else 1 Gbit/s. */
export function linkBytesPerSecond(policy: DataPolicy, measured?: number): number {
  return policy.bandwidth.nicPeakBytesPerSecond || measured || LINK_BYTES_PER_SECOND;
}

function fieldOf(key: string): PolicyField {
  const field = POLICY_FIELDS.find((known) => known.key === key || known.key === `${key}.enabled`);
  if (field !== undefined) return field;
  throw new NetError("usage", `Cannot set policy: there is no setting "${key.slice(0, 64)}"`, {
    next: "see the settings with net blob policy show",
  });
}

function valueOf(policy: DataPolicy, field: PolicyField): unknown {
  return Reflect.get(Reflect.get(policy, field.group), field.name);
}

function requireConsistent(policy: DataPolicy): void {
  const { greedy, gravity, overflow, health, put } = policy;
  const faults: readonly [boolean, string][] = [
    [
      gravity.isEnabled && !greedy.isEnabled,
      "gravity.enabled is on and greedy.enabled off: gravity needs greedy caching",
    ],
    [
      greedy.totalCapBytes < greedy.perChannelCapBytes,
      "greedy.total_cap is below greedy.per_channel_cap: it must be at least as much",
    ],
    [
      overflow.lowWaterRatio >= overflow.highWaterRatio,
      "overflow.low_water_ratio is not below overflow.high_water_ratio: the node would flap",
    ],
    [
      (put.dataChunks === 0) !== (put.parityChunks === 0),
      "put.data_chunks and put.parity_chunks go together: both are 0, or neither",
    ],
    [
      put.dataChunks + put.parityChunks > TREE_FAN_OUT,
      `put.data_chunks and put.parity_chunks are more than ${TREE_FAN_OUT} together`,
    ],
    [
      health.healthyRatio >= health.unhealthyRatio,
      "health.healthy_ratio is not below health.unhealthy_ratio: the node would flap",
    ],
  ];
  const fault = faults.find(([isWrong]) => isWrong);
  if (fault === undefined) return;
  throw new NetError("usage", `Cannot set policy: ${fault[1]}`, {
    next: "give both settings in one command",
  });
}
