/** What flows on a node, for people, programs and dashboards (`dataforts.md` 21, rows 53 and 57). */
import { type BlobFlow, renderBlobMetrics } from "../../blob/mod.ts";
import type { CounterSet } from "../../observe/mod.ts";

/** Id of the one adapter whose blobs overflow. */
export const FLOW_ADAPTER = "mesh";

/** Chunks in the list of the hottest. */
const HOTTEST_MAX = 20;

/** The status of overflow; its keys are fixed (row 53), and every counter is there at zero. */
export interface OverflowStatus {
  readonly adapter: string;
  readonly config: Readonly<Record<string, number | boolean | string>>;
  readonly active: boolean;
  readonly counters: Readonly<Record<string, number | Readonly<Record<string, number>>>>;
}

/** Everything that flows. */
export interface FlowStatus {
  readonly overflow: OverflowStatus;
  readonly disk: { readonly used_bytes: number; readonly capacity_bytes: number | null };
  readonly moves: {
    readonly last_hour: number;
    readonly left: number;
    readonly per_hour_max: number;
  };
  readonly heat: {
    readonly size: number;
    readonly announced: number;
    readonly hottest: readonly { readonly hash: string; readonly rate: number }[];
  };
  readonly gravity: Readonly<Record<string, unknown>>;
  readonly greedy: Readonly<Record<string, unknown>>;
  readonly cache: Readonly<Record<string, unknown>>;
  readonly spilled_chunks: number;
  readonly promised: { readonly chunks: number; readonly bytes: number };
  readonly link_bytes_per_second: number;
}

/** The status now. */
export function flowStatus(flow: BlobFlow, spilledChunks: number, nowMs: number): FlowStatus {
  const { policy, metrics, heat, ledger, shedder, arrivals, responder } = flow;
  const { overflow, gravity, greedy, cache, moves } = policy;
  const { used, capacity } = flow.disk;
  const hottest = heat.coldest(nowMs).reverse().slice(0, HOTTEST_MAX)
    .map(({ key, rate }) => ({ hash: key, rate: Math.round(rate * 100) / 100 }));
  return {
    overflow: {
      adapter: FLOW_ADAPTER,
      config: {
        enabled: overflow.isEnabled,
        high_water_ratio: overflow.highWaterRatio,
        low_water_ratio: overflow.lowWaterRatio,
        max_pushes_per_tick: overflow.maxPushesPerTick,
        scope: overflow.scope,
        tick_interval_ms: overflow.tickIntervalMs,
        spill_holders_min: overflow.spillHoldersMin,
      },
      active: shedder.state.isActive,
      counters: {
        pushes_admitted: metrics.overflowPushesAdmittedTotal,
        push_errors: metrics.overflowPushErrorsTotal,
        pushed_bytes: metrics.overflowPushedBytesTotal,
        rejected_no_target: metrics.overflowNoTargetTotal,
        rejected: { ...metrics.overflowRejectedTotal },
        high_water_triggered: metrics.overflowHighWaterTotal,
        low_water_cleared: metrics.overflowLowWaterTotal,
        proofs: shedder.counters.proofs,
        proofs_failed: shedder.counters.proofsFailed,
        dropped: shedder.counters.dropped,
        dropped_bytes: shedder.counters.droppedBytes,
        promises_renewed: flow.promises.counters.renewed,
        promises_lost: flow.promises.counters.lost,
        offers: arrivals.counters.offers,
        arrived: arrivals.counters.accepted,
        arrived_bytes: arrivals.counters.acceptedBytes,
        busy: arrivals.counters.busy,
        arrivals_failed: arrivals.counters.failed,
        proofs_given: responder.counters.proven,
        proofs_refused: responder.counters.refused,
      },
    },
    disk: { used_bytes: used, capacity_bytes: capacity > 0 ? capacity : null },
    moves: {
      last_hour: ledger.countAt(nowMs),
      left: ledger.leftAt(nowMs),
      per_hour_max: moves.perHourMax,
    },
    heat: { size: heat.size, announced: flow.heatTags.length, hottest },
    gravity: { enabled: gravity.isEnabled, scope: gravity.scope, ...flow.gravity.counters },
    greedy: {
      enabled: greedy.isEnabled,
      scope: greedy.scope,
      channels: flow.greedy.size,
      bytes: flow.greedy.bytes,
      pulls_admitted: flow.greedyMetrics.pullsAdmitted,
      pulls_rejected: { ...flow.greedyMetrics.pullsRejected },
      admit_rejected: { ...flow.greedyMetrics.admitRejected },
      prefetches: { ...flow.greedyMetrics.prefetches },
    },
    cache: { enabled: cache.isEnabled, chunks: flow.copies.size, bytes: flow.copies.bytes },
    spilled_chunks: spilledChunks,
    promised: { chunks: flow.leases.size, bytes: flow.leases.bytes },
    link_bytes_per_second: Math.round(flow.linkBytesPerSecond),
  };
}

/** Counters for the registry: those of the specification by their full names, ours beside them. */
export function flowCounters(flow: BlobFlow): CounterSet {
  const { shedder, arrivals, pulls, gravity, responder } = flow;
  return {
    ...specified(flow),
    pulls_waiting: pulls.size,
    pulls_stored_total: pulls.counters.stored,
    pulls_stored_bytes_total: pulls.counters.storedBytes,
    pulls_failed_total: pulls.counters.failed,
    pulls_drop_full_total: pulls.counters.full,
    gravity_admitted_total: gravity.counters.admitted,
    gravity_unknown_size_total: gravity.counters.unknownSize,
    gravity_over_budget_total: gravity.counters.overBudget,
    gravity_held_total: gravity.counters.held,
    ...Object.fromEntries(
      Object.entries(gravity.counters.refused).map(([reason, count]) => [
        `gravity_refused_total{reason="${reason}"}`,
        count,
      ]),
    ),
    offers_total: arrivals.counters.offers,
    offers_drop_busy_total: arrivals.counters.busy,
    offers_failed_total: arrivals.counters.failed,
    arrived_bytes_total: arrivals.counters.acceptedBytes,
    proofs_total: shedder.counters.proofs,
    proofs_failed_total: shedder.counters.proofsFailed,
    proofs_given_total: responder.counters.proven,
    spilled_bytes_total: shedder.counters.droppedBytes,
    promises_lost_total: flow.promises.counters.lost,
    promised_bytes: flow.leases.bytes,
    copies_bytes: flow.copies.bytes,
    link_bytes_per_second: Math.round(flow.linkBytesPerSecond),
  };
}

/** The text of the specification, families in its order. */
export function flowText(flow: BlobFlow): string {
  return renderBlobMetrics(FLOW_ADAPTER, flow.metrics) + flow.greedyMetrics.render();
}

/** Names and values of the text; what counts blobs as such is the store's to tell. */
function specified(flow: BlobFlow): CounterSet {
  const counters: CounterSet = {};
  for (const line of flowText(flow).split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    const name = line.slice(0, space);
    if (/^dataforts_(blobs_|blob_(bytes|gc|disk))/.test(name)) continue;
    counters[name] = Number(line.slice(space + 1));
  }
  return counters;
}
