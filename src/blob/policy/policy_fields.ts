/** The settings of the policy of blobs: their names, what values they take, and their texts. */
import { NetError } from "../../base/mod.ts";
import { GIB, HEAT_ENTRIES_MAX, HOUR_MS, MIB } from "./limits.ts";
import { DATA_SCOPES } from "./scope.ts";

/** What values a setting takes; bounds are included. */
export type PolicyValues =
  | { readonly kind: "switch" }
  | { readonly kind: "word"; readonly words: readonly string[] }
  | { readonly kind: "words"; readonly most: number }
  | {
    readonly kind: "ratio" | "count" | "bytes" | "ms";
    readonly min: number;
    readonly max: number;
  };

/** One setting. */
export interface PolicyField {
  /** `group.name` as people write it. */
  readonly key: string;
  /** Field of the record, and of the group in it. */
  readonly group: string;
  readonly name: string;
  readonly values: PolicyValues;
  /** What it does, in one phrase. */
  readonly about: string;
}

const DAY_MS = 24 * HOUR_MS;
const LABELS_MAX = 64;
const LABEL = /^[!-+\--~]{1,128}$/;
const SCOPE: PolicyValues = { kind: "word", words: DATA_SCOPES };
const SWITCH: PolicyValues = { kind: "switch" };
const SHARE: PolicyValues = { kind: "ratio", min: 0.01, max: 1 };
const PART: PolicyValues = { kind: "ratio", min: 0, max: 1 };
const PROXIMITY: PolicyValues = { kind: "count", min: 0, max: 255 };
const TICK: PolicyValues = { kind: "ms", min: 1_000, max: DAY_MS };

const ROWS: readonly (readonly [key: string, name: string, PolicyValues, about: string])[] = [
  ["greedy.enabled", "isEnabled", SWITCH, "keep what passes by, before anybody asks for it"],
  ["greedy.scope", "scope", SCOPE, "from how far data is taken"],
  ["greedy.proximity", "proximity", PROXIMITY, "eagerness, 0 takes nothing"],
  ["greedy.scopes", "scopes", { kind: "words", most: LABELS_MAX }, "labels a chain must carry"],
  [
    "greedy.proximity_max_rtt",
    "proximityMaxRttMs",
    { kind: "ms", min: 1, max: 60_000 },
    "publishers farther away are left out",
  ],
  ["greedy.per_channel_cap", "perChannelCapBytes", bytes(MIB), "most that one channel takes"],
  ["greedy.total_cap", "totalCapBytes", bytes(MIB), "most that all channels take"],
  ["greedy.bandwidth_fraction", "bandwidthFraction", SHARE, "share of the link for caching"],
  ["greedy.intent_match", "intentMatch", {
    kind: "word",
    words: ["any_local_capability", "strict", "disabled"],
  }, "how a chain's kind of work counts"],
  [
    "greedy.colocation",
    "colocation",
    { kind: "word", words: ["ignore", "soft", "strict"] },
    "how the wish to be near another chain counts",
  ],
  [
    "greedy.observers_max",
    "observersMax",
    { kind: "count", min: 1, max: 65_536 },
    "events that wait for a decision",
  ],
  ["gravity.enabled", "isEnabled", SWITCH, "pull what peers read much; needs greedy"],
  ["gravity.scope", "scope", SCOPE, "from how far data is pulled"],
  ["gravity.proximity", "proximity", PROXIMITY, "eagerness, 0 takes nothing"],
  [
    "gravity.emit_threshold_ratio",
    "emitThresholdRatio",
    { kind: "ratio", min: 1.01, max: 10 },
    "a change of heat by so much is told",
  ],
  [
    "gravity.chain_half_life",
    "chainHalfLifeMs",
    { kind: "ms", min: 1_000, max: 30 * DAY_MS },
    "heat of chains halves in this time",
  ],
  [
    "gravity.chunk_half_life",
    "chunkHalfLifeMs",
    { kind: "ms", min: 1_000, max: 30 * DAY_MS },
    "heat of chunks halves in this time",
  ],
  ["gravity.normalization_reference", "normalizationReference", {
    kind: "ratio",
    min: 1.5,
    max: 1e9,
  }, "reads that count as hottest"],
  ["gravity.registry_entries_max", "registryEntriesMax", {
    kind: "count",
    min: 0,
    max: HEAT_ENTRIES_MAX,
  }, "things whose heat is kept"],
  ["gravity.tick_interval", "tickIntervalMs", TICK, "time between looks at the peers"],
  [
    "overflow.enabled",
    "isEnabled",
    SWITCH,
    "hand cold chunks to peers with room when the disk is almost full",
  ],
  ["overflow.high_water_ratio", "highWaterRatio", SHARE, "share of the disk at which it begins"],
  ["overflow.low_water_ratio", "lowWaterRatio", PART, "share of the disk at which it ends"],
  [
    "overflow.max_pushes_per_tick",
    "maxPushesPerTick",
    { kind: "count", min: 1, max: 1_024 },
    "chunks offered at once",
  ],
  ["overflow.scope", "scope", SCOPE, "how far chunks go"],
  ["overflow.tick_interval", "tickIntervalMs", TICK, "time between looks at the disk"],
  [
    "overflow.spill_holders_min",
    "spillHoldersMin",
    { kind: "count", min: 0, max: 16 },
    "so many peers with a copy let a blob's chunk go, 0 never",
  ],
  [
    "moves.per_hour_max",
    "perHourMax",
    { kind: "count", min: 0, max: 8_192 },
    "chunks that gravity and overflow move in an hour",
  ],
  [
    "moves.rest",
    "restMs",
    { kind: "ms", min: 0, max: DAY_MS },
    "a chunk that moved stays where it is for so long",
  ],
  ["replicas.accept", "isAccepting", SWITCH, "take copies that other nodes ask for"],
  ["replicas.cap", "capBytes", bytes(0), "most that copies for others take"],
  [
    "replicas.wanted",
    "wantedPeers",
    { kind: "count", min: 0, max: 254 },
    "other nodes that shall have all that is put here",
  ],
  ["cache.enabled", "isEnabled", SWITCH, "keep a copy of what is fetched"],
  ["cache.cap", "capBytes", bytes(MIB), "most that copies take"],
  [
    "put.chunking",
    "chunking",
    { kind: "word", words: ["fixed", "content_defined"] },
    "how blobs are cut that are put without --cdc",
  ],
  [
    "put.data_chunks",
    "dataChunks",
    { kind: "count", min: 0, max: 127 },
    "data chunks of a stripe of blobs that are put without --ec, 0 for copies alone",
  ],
  [
    "put.parity_chunks",
    "parityChunks",
    // As many as have room while they grow, whatever the chunking.
    { kind: "count", min: 0, max: 8 },
    "parity chunks of such a stripe",
  ],
  [
    "read.node_cache",
    "nodeCacheBytes",
    { kind: "bytes", min: 0, max: GIB },
    "memory for nodes of trees, for reads of ranges; 64MiB is plenty",
  ],
  ["read.repair", "repairs", SWITCH, "write back what a read had to restore from parity"],
  ["fetch.keep", "keepsChunks", SWITCH, "chunks of a complete get stay until room is needed"],
  [
    "fetch.remote",
    "remote",
    { kind: "word", words: ["off", "list", "cancel"] },
    "what peers may do about gets: see them, end them",
  ],
  [
    "staging.checkpoint",
    "checkpointBytes",
    { kind: "bytes", min: 4 * MIB, max: 16 * GIB },
    "an interrupted put goes on from its last multiple of this",
  ],
  [
    "staging.ttl",
    "ttlMs",
    { kind: "ms", min: 60_000, max: 365 * DAY_MS },
    "an interrupted put is given up after so long",
  ],
  [
    "gc.retention_floor",
    "retentionFloorMs",
    { kind: "ms", min: 0, max: 3_650 * DAY_MS },
    "chunks nobody needs stay for so long",
  ],
  [
    "gc.pressure_ratio",
    "pressureRatio",
    SHARE,
    "share of the disk from which that time does not count",
  ],
  [
    "health.unhealthy_ratio",
    "unhealthyRatio",
    SHARE,
    "share of the disk from which the store takes nothing of others",
  ],
  ["health.healthy_ratio", "healthyRatio", PART, "share of the disk at which it does again"],
  [
    "bandwidth.nic_peak",
    "nicPeakBytesPerSecond",
    { kind: "bytes", min: 0, max: 1_024 * GIB },
    "speed of the link a second, 0 measures it",
  ],
  [
    "bandwidth.background_fraction",
    "backgroundFraction",
    PART,
    "share of the budget for background",
  ],
  ["bandwidth.realtime_fraction", "realtimeFraction", PART, "share of the budget for realtime"],
];

/** Every setting, in the order of `show`. */
export const POLICY_FIELDS: readonly PolicyField[] = ROWS.map(([key, name, values, about]) => ({
  key,
  group: key.slice(0, key.indexOf(".")),
  name,
  values,
  about,
}));

const BYTE_UNITS: readonly (readonly [string, number])[] = [
  ["TiB", 1_024 * GIB],
  ["GiB", GIB],
  ["MiB", MIB],
  ["KiB", 1_024],
  ["B", 1],
];
/** `64M` and `64MB` are `64MiB`, as everywhere. */
const SHORT_SIZE = /(?<=\d\s*)([KMGT])B?$/i;
const TIME_UNITS: readonly (readonly [string, number])[] = [
  ["d", DAY_MS],
  ["h", HOUR_MS],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/**
 * The value of a text.
 *
 * @throws NetError `usage` that says what the setting takes.
 */
export function parseSetting(field: PolicyField, text: string): unknown {
  const value = read(field.values, text.trim());
  if (value !== undefined) return value;
  const taken = describe(field.values);
  throw new NetError(
    "usage",
    `Cannot set ${field.key} to "${text.slice(0, 64)}": must be ${taken}`,
    { next: "see the settings with net blob policy show" },
  );
}

/** The text that gives the value again. */
export function formatSetting(field: PolicyField, value: unknown): string {
  const { kind } = field.values;
  if (kind === "switch") return value === true ? "on" : "off";
  if (kind === "words") return Array.isArray(value) && value.length > 0 ? value.join(",") : "any";
  if (kind === "bytes") return withUnit(Number(value), BYTE_UNITS);
  return kind === "ms" ? withUnit(Number(value), TIME_UNITS) : String(value);
}

function read(values: PolicyValues, text: string): unknown {
  switch (values.kind) {
    case "switch":
      if (/^(on|true)$/i.test(text)) return true;
      return /^(off|false)$/i.test(text) ? false : undefined;
    case "word":
      return values.words.find((word) => word === text.toLowerCase());
    case "words": {
      const labels = text === "any" || text === "" ? [] : text.split(",");
      const areGood = labels.length <= values.most && labels.every((label) => LABEL.test(label));
      return areGood ? labels : undefined;
    }
    case "ratio":
      return inBounds(values, /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN);
    case "count":
      return inBounds(values, /^\d{1,15}$/.test(text) ? Number(text) : NaN);
    case "bytes":
      return inBounds(values, quantity(text.replace(SHORT_SIZE, "$1iB"), BYTE_UNITS, 1));
    case "ms":
      return inBounds(values, quantity(text, TIME_UNITS, 1_000));
  }
}

function inBounds(
  { min, max }: { readonly min: number; readonly max: number },
  value: number,
): number | undefined {
  return value >= min && value <= max ? value : undefined;
}

/**
 * A number, alone or with a unit, as in flags and configuration files.
 *
 * @param bare What a number alone counts: bytes, or seconds.
 */
function quantity(
  text: string,
  units: readonly (readonly [string, number])[],
  bare: number,
): number {
  const [, digits, unit = ""] = /^(\d{1,16}(?:\.\d{1,3})?)\s*([A-Za-z]*)$/.exec(text) ?? [];
  const known = units.find(([name]) => name.toLowerCase() === unit.toLowerCase());
  if (digits === undefined || (unit !== "" && known === undefined)) return NaN;
  const value = Math.floor(Number(digits) * (known?.[1] ?? bare));
  return Number.isSafeInteger(value) ? value : NaN;
}

function withUnit(value: number, units: readonly (readonly [string, number])[]): string {
  const unit = value === 0 ? undefined : units.find(([, size]) => value % size === 0);
  return unit === undefined ? String(value) : `${value / unit[1]}${unit[0]}`;
}

function describe(values: PolicyValues): string {
  switch (values.kind) {
    case "switch":
      return "on or off";
    case "word":
      return `one of ${values.words.join(", ")}`;
    case "words":
      return `at most ${values.most} labels with commas between, or any`;
    case "ratio":
    case "count":
      return `a number of ${values.min} to ${values.max}`;
    case "bytes":
      return `a size of ${withUnit(values.min, BYTE_UNITS)} to ${withUnit(values.max, BYTE_UNITS)}`;
    case "ms":
      return `a time of ${withUnit(values.min, TIME_UNITS)} to ${withUnit(values.max, TIME_UNITS)}`;
  }
}

function bytes(min: number): PolicyValues {
  return { kind: "bytes", min, max: 1_024 * 1_024 * GIB };
}
