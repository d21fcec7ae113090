/** Counters of calls as Prometheus reads them: text format 0.0.4, families in the order of `nrpc.md` 15. */
import type { MetricFamily } from "../../observe/mod.ts";
import { EXPOSED_SERVICES_MAX } from "./limits.ts";
import { LATENCY_BOUNDS_SECONDS } from "./service_meter.ts";
import type { RpcMetricsSnapshot, ServiceMetrics } from "./snapshot.ts";

const NS_PER_SECOND = 1e9;

/** One series of a service: what stands behind the name, a label beside the service's, the value. */
type Series = readonly [
  suffix: "" | "_bucket" | "_sum" | "_count",
  label: readonly [name: string, value: string] | undefined,
  value: number,
];

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly series: (service: ServiceMetrics) => readonly Series[];
}

/** Counters and gauges whose value is one field, never shown below 0. */
function single(
  name: string,
  type: "counter" | "gauge",
  help: string,
  value: (service: ServiceMetrics) => number,
): Family {
  return {
    name,
    type,
    help,
    series: (service) => [["", undefined, Math.max(0, value(service))]],
  };
}

function histogram(
  name: string,
  help: string,
  read: (service: ServiceMetrics) => {
    readonly buckets: readonly number[];
    readonly sumNs: number;
    readonly count: number;
  },
): Family {
  return {
    name,
    type: "histogram",
    help,
    series: (service) => {
      const { buckets, sumNs, count } = read(service);
      return [
        ...buckets.map((value, index): Series => {
          const bound = String(LATENCY_BOUNDS_SECONDS[index] ?? "+Inf");
          return ["_bucket", ["le", bound], value];
        }),
        ["_sum", undefined, sumNs / NS_PER_SECOND],
        ["_count", undefined, count],
      ];
    },
  };
}

const FAMILIES: readonly Family[] = [
  single("nrpc_calls_total", "counter", "Calls that ended, well or not.", (s) => s.calls_total),
  {
    name: "nrpc_errors_total",
    type: "counter",
    help: "Calls that failed, by kind.",
    series: (service) => [
      ["", ["kind", "no_route"], service.errors_no_route],
      ["", ["kind", "timeout"], service.errors_timeout],
      ["", ["kind", "server"], service.errors_server],
      ["", ["kind", "transport"], service.errors_transport],
    ],
  },
  single("nrpc_in_flight_calls", "gauge", "Calls that wait for an answer.", (s) => s.in_flight),
  histogram(
    "nrpc_call_latency_seconds",
    "Time from a call to its end, at the caller.",
    (s) => ({ buckets: s.latency_buckets, sumNs: s.latency_sum_ns, count: s.latency_count }),
  ),
  single(
    "nrpc_handler_invocations_total",
    "counter",
    "Handlers started on this node.",
    (s) => s.handler_invocations_total,
  ),
  single(
    "nrpc_handler_panics_total",
    "counter",
    "Handlers that threw something other than a status.",
    (s) => s.handler_panics_total,
  ),
  single("nrpc_handler_in_flight", "gauge", "Handlers that run.", (s) => s.handler_in_flight),
  histogram("nrpc_handler_duration_seconds", "Time that handlers took.", (s) => ({
    buckets: s.handler_duration_buckets,
    sumNs: s.handler_duration_sum_ns,
    count: s.handler_duration_count,
  })),
  single(
    "nrpc_streaming_chunks_emitted_total",
    "counter",
    "Response items that handlers of streams gave.",
    (s) => s.streaming_chunks_emitted_total,
  ),
  single(
    "nrpc_streaming_chunks_dropped_total",
    "counter",
    "Response items dropped because their queue was full.",
    (s) => s.streaming_chunks_dropped_total,
  ),
  single(
    "nrpc_capability_denied_total",
    "counter",
    "Calls refused by the capability gate before a handler ran.",
    (s) => s.capability_denied_total,
  ),
  single(
    "nrpc_relayed_flow_controlled_rejected_total",
    "counter",
    "Uploads with flow control refused because the caller's origin is not proven.",
    (s) => s.relayed_flow_controlled_rejected_total,
  ),
  single(
    "nrpc_packet_origin_mismatch_dropped_total",
    "counter",
    "Frames dropped because the origins of packet and frame differ.",
    (s) => s.packet_origin_mismatch_dropped_total,
  ),
];

/**
 * The text of a snapshot; every family has its HELP and TYPE, also without services.
 *
 * @example
 * ```ts
 * import { prometheusText } from "./prometheus.ts";
 * const text = prometheusText({ services: [], observer_dropped_total: 0 });
 * console.assert(text.startsWith("# HELP nrpc_calls_total "));
 * ```
 */
export function prometheusText(snapshot: RpcMetricsSnapshot): string {
  const services = snapshot.services.map((service) => ({
    service,
    label: `service="${escapeLabel(service.service)}"`,
  }));
  const lines: string[] = [];
  for (const { name, type, help, series } of FAMILIES) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { service, label } of services) {
      for (const [suffix, more, value] of series(service)) {
        const labels = more === undefined ? label : `${label},${more[0]}="${more[1]}"`;
        lines.push(`${name}${suffix}{${labels}} ${value}`);
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The same as families, for an exposition that has others too; those without a service are left out. */
export function rpcFamilies(snapshot: RpcMetricsSnapshot): readonly MetricFamily[] {
  const services = busiest(snapshot.services);
  if (services.length === 0) return [];
  const omitted: MetricFamily = {
    name: "net_rpc_services_omitted",
    type: "gauge",
    help: "Services whose counters are not shown, because others have more calls.",
    samples: [{ value: snapshot.services.length - services.length }],
  };
  const families = FAMILIES.map(({ name, type, help, series }) => ({
    name,
    type,
    help,
    samples: services.flatMap((service) =>
      series(service).map(([suffix, more, value]) => ({
        ...(suffix === "" ? {} : { suffix }),
        labels: [["service", service.service] as const, ...(more === undefined ? [] : [more])],
        value,
      }))
    ),
  }));
  return [omitted, ...families];
}

/** Each service is some forty series: beyond the bound those with the most calls are shown. */
function busiest(services: readonly ServiceMetrics[]): readonly ServiceMetrics[] {
  if (services.length <= EXPOSED_SERVICES_MAX) return services;
  const calls = (service: ServiceMetrics) =>
    service.calls_total + service.handler_invocations_total;
  return services.toSorted((a, b) => calls(b) - calls(a)).slice(0, EXPOSED_SERVICES_MAX);
}

/** Nothing in a label may end its line: readers differ on whether a lone CR does (promise 69). */
function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r");
}
