/**
 * Counters of blobs, and their text as the reference prints it (`dataforts.md` 21): families, order, help and
 * labels are the same byte by byte, so that dashboards need not know which program they look at.
 */
import { OVERFLOW_REFUSALS, type OverflowRefusal } from "./verdicts.ts";

/** Counters and gauges of one adapter. */
export interface BlobMetrics {
  storedTotal: number;
  fetchedTotal: number;
  bytesStoredTotal: number;
  gcSweptTotal: number;
  gcPending: number;
  diskUsedBytes: number;
  diskCapacityBytes: number;
  overflowPushesAdmittedTotal: number;
  /** On the sender: every answer but "accepted", and no answer. */
  overflowPushErrorsTotal: number;
  overflowPushedBytesTotal: number;
  overflowNoTargetTotal: number;
  /** On the receiver. */
  overflowRejectedTotal: Record<OverflowRefusal, number>;
  /** Edges only: one episode counts once. */
  overflowHighWaterTotal: number;
  overflowLowWaterTotal: number;
  isOverflowActive: boolean;
  overflowDiskRatio: number;
}

type Family = readonly [name: string, type: "counter" | "gauge", help: string];
type Value = (metrics: BlobMetrics) => number | string | Readonly<Record<string, number>>;

const DISK_RATIO_MAX = 10;

const FAMILIES: readonly (readonly [...Family, Value])[] = [
  ["blobs_stored_total", "counter", "Successful blob stores.", (m) => m.storedTotal],
  ["blobs_fetched_total", "counter", "Successful blob fetches.", (m) => m.fetchedTotal],
  ["blob_bytes_stored_total", "counter", "Bytes accepted by store.", (m) => m.bytesStoredTotal],
  ["blob_gc_swept_total", "counter", "Blobs removed by GC sweep.", (m) => m.gcSweptTotal],
  [
    "blob_gc_pending",
    "gauge",
    "Zero-refcount blobs waiting on retention floor.",
    (m) => m.gcPending,
  ],
  [
    "blob_disk_used_bytes",
    "gauge",
    "Bytes the adapter currently holds.",
    (m) => m.diskUsedBytes,
  ],
  [
    "blob_disk_capacity_bytes",
    "gauge",
    "Operator-configured disk cap.",
    (m) => m.diskCapacityBytes,
  ],
  [
    "blob_overflow_pushes_admitted_total",
    "counter",
    "Successful overflow pushes (Accepted ack).",
    (m) => m.overflowPushesAdmittedTotal,
  ],
  [
    "blob_overflow_push_errors_total",
    "counter",
    "Send-side overflow failures (non-Accepted ack + transport errors).",
    (m) => m.overflowPushErrorsTotal,
  ],
  [
    "blob_overflow_pushed_bytes_total",
    "counter",
    "Bytes pushed via overflow (sum of size_bytes on Accepted).",
    (m) => m.overflowPushedBytesTotal,
  ],
  [
    "blob_overflow_rejected_no_target_total",
    "counter",
    "Tick computed a cold candidate but no overflow-enabled peer was reachable.",
    (m) => m.overflowNoTargetTotal,
  ],
  [
    "blob_overflow_rejected_total",
    "counter",
    "Receive-side admission rejections by reason.",
    (m) => m.overflowRejectedTotal,
  ],
  [
    "blob_overflow_high_water_triggered_total",
    "counter",
    "Hysteresis transitions from inactive to active (false -> true).",
    (m) => m.overflowHighWaterTotal,
  ],
  [
    "blob_overflow_low_water_cleared_total",
    "counter",
    "Hysteresis transitions from active to inactive (true -> false).",
    (m) => m.overflowLowWaterTotal,
  ],
  [
    "blob_overflow_active",
    "gauge",
    "1 iff the overflow tick is actively shedding (hysteresis high).",
    (m) => m.isOverflowActive ? 1 : 0,
  ],
  [
    "blob_overflow_disk_ratio",
    "gauge",
    "Local disk usage ratio observed at the most recent tick.",
    (m) => formatRatio(m.overflowDiskRatio),
  ],
];

/** All at zero. */
export function createBlobMetrics(): BlobMetrics {
  return {
    storedTotal: 0,
    fetchedTotal: 0,
    bytesStoredTotal: 0,
    gcSweptTotal: 0,
    gcPending: 0,
    diskUsedBytes: 0,
    diskCapacityBytes: 0,
    overflowPushesAdmittedTotal: 0,
    overflowPushErrorsTotal: 0,
    overflowPushedBytesTotal: 0,
    overflowNoTargetTotal: 0,
    overflowRejectedTotal: {
      no_storage_cap: 0,
      not_participating: 0,
      sender_not_overflowing: 0,
      unhealthy: 0,
      scope_mismatch: 0,
      insufficient_disk: 0,
    },
    overflowHighWaterTotal: 0,
    overflowLowWaterTotal: 0,
    isOverflowActive: false,
    overflowDiskRatio: 0,
  };
}

/**
 * Prometheus text of one adapter's counters.
 *
 * @example
 * ```ts
 * import { createBlobMetrics, renderBlobMetrics } from "./blob_metrics.ts";
 * const text = renderBlobMetrics("mesh", { ...createBlobMetrics(), storedTotal: 3 });
 * console.assert(text.includes('\ndataforts_blobs_stored_total{adapter="mesh"} 3\n'));
 * ```
 */
export function renderBlobMetrics(adapterId: string, metrics: BlobMetrics): string {
  const adapter = `adapter="${escapeLabel(adapterId)}"`;
  let text = "";
  for (const [name, type, help, read] of FAMILIES) {
    const family = `dataforts_${name}`;
    text += `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n`;
    const value = read(metrics);
    if (typeof value !== "object") text += `${family}{${adapter}} ${value}\n`;
    else {
      for (const reason of OVERFLOW_REFUSALS) {
        text += `${family}{${adapter},reason="${reason}"} ${value[reason]}\n`;
      }
    }
  }
  return text;
}

/** The value of a label, without what would end it. */
export function escapeLabel(value: string): string {
  return value.replace(/[\\"\n\r]/g, (letter) => {
    if (letter === "\n") return "\\n";
    return letter === "\r" ? "\\r" : `\\${letter}`;
  });
}

/** Thousandths, 0 to 10. */
function formatRatio(ratio: number): string {
  const bounded = Number.isNaN(ratio) ? 0 : Math.min(DISK_RATIO_MAX, Math.max(0, ratio));
  return (Math.round(bounded * 1000) / 1000).toFixed(3);
}
