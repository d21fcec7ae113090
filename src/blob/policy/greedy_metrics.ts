/**
 * Counters of greedy caching and gravity, and their text (`dataforts.md` 21). Channels come from outside, so
 * that only so many have counters of their own.
 */
import { escapeLabel } from "./blob_metrics.ts";
import { GREEDY_REFUSALS, type GreedyRefusal } from "./greedy.ts";
import { METRIC_CHANNELS_MAX } from "./limits.ts";
import type { PullRefusal } from "./verdicts.ts";

/** What is counted for one channel. */
export interface GreedyChannelCounters {
  cacheHits: number;
  serves: number;
  evictions: number;
  bytesResident: number;
}

/** Reasons against pulls, in the order of the text. */
const PULL_REFUSALS: readonly PullRefusal[] = [
  "no_storage",
  "greedy_disabled",
  "proximity_zero",
  "unhealthy",
  "scope_mismatch",
];
const OVERFLOW_CHANNEL = "__overflow__";
const CHANNEL_FAMILIES: readonly (readonly [keyof GreedyChannelCounters, string, string])[] = [
  ["cacheHits", "cache_hits_total", "counter"],
  ["serves", "serve_count_total", "counter"],
  ["evictions", "evictions_total", "counter"],
  ["bytesResident", "bytes_resident", "gauge"],
];

/** Counters of one node. */
export class GreedyMetrics {
  readonly admitRejected: Record<GreedyRefusal, number> = zeros(GREEDY_REFUSALS);
  readonly pullsRejected: Record<PullRefusal, number> = zeros(PULL_REFUSALS);
  readonly prefetches = { ok: 0, err: 0 };
  ioBudgetUsedBytes = 0;
  observersDropped = 0;
  heatUnattributed = 0;
  pullsAdmitted = 0;
  gravityEmits = 0;
  heatRegistrySize = 0;
  readonly #channels = new Map<string, GreedyChannelCounters>();

  /** Counters of a channel; the first 1,024 have their own. */
  channel(name: string): GreedyChannelCounters {
    const isFull = this.#channels.size >= METRIC_CHANNELS_MAX;
    const key = isFull && !this.#channels.has(name) ? OVERFLOW_CHANNEL : name;
    const counters = this.#channels.get(key) ??
      { cacheHits: 0, serves: 0, evictions: 0, bytesResident: 0 };
    this.#channels.set(key, counters);
    return counters;
  }

  /** Prometheus text; channels by name. */
  render(): string {
    let text = "";
    const family = (name: string, type: string, series: readonly (readonly [string, number])[]) => {
      text += `# TYPE dataforts_${name} ${type}\n`;
      for (const [labels, value] of series) text += `dataforts_${name}${labels} ${value}\n`;
    };
    const channels = [...this.#channels].sort(([a], [b]) => a < b ? -1 : 1);
    for (const [field, name, type] of CHANNEL_FAMILIES) {
      family(
        `greedy_${name}`,
        type,
        channels.map(([channel, counters]) => [
          `{channel="${escapeLabel(channel)}"}`,
          counters[field],
        ]),
      );
    }
    family("greedy_admit_rejected_total", "counter", byLabel("reason", this.admitRejected));
    family("greedy_io_budget_used_bytes", "gauge", [["", Math.round(this.ioBudgetUsedBytes)]]);
    family("greedy_observer_dropped_total", "counter", [
      ['{reason="overloaded"}', this.observersDropped],
    ]);
    family("greedy_gravity_heat_unattributed_total", "counter", [["", this.heatUnattributed]]);
    family("greedy_blob_pulls_admitted_total", "counter", [["", this.pullsAdmitted]]);
    family("greedy_blob_pulls_rejected_total", "counter", byLabel("reason", this.pullsRejected));
    family("greedy_blob_prefetches_total", "counter", byLabel("result", this.prefetches));
    family("gravity_emit_total", "counter", [["", this.gravityEmits]]);
    family("gravity_heat_registry_size", "gauge", [["", this.heatRegistrySize]]);
    return text;
  }
}

function zeros<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}

function byLabel(label: string, counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).map(([value, count]) => [`{${label}="${value}"}`, count]);
}
