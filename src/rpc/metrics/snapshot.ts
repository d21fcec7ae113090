/**
 * Counters of calls as a document (`nrpc.md` 15, `metrics_snapshot_invariants` of the golden vectors): names and
 * order are those of the Rust core's.
 */
import type { Histogram, ServiceMeter } from "./service_meter.ts";

const NS_PER_MS = 1e6;

/** Counters of one service. */
export interface ServiceMetrics {
  readonly service: string;
  /** Calls of this node that are over, well or not. */
  readonly calls_total: number;
  readonly errors_no_route: number;
  readonly errors_timeout: number;
  readonly errors_server: number;
  readonly errors_transport: number;
  readonly in_flight: number;
  readonly latency_sum_ns: number;
  readonly latency_count: number;
  /** Cumulative, by the bounds of `LATENCY_BOUNDS_SECONDS`; the last one, beyond them, is `latency_count`. */
  readonly latency_buckets: readonly number[];
  readonly handler_invocations_total: number;
  readonly handler_panics_total: number;
  readonly handler_in_flight: number;
  readonly handler_duration_sum_ns: number;
  readonly handler_duration_count: number;
  /** Like `latency_buckets`. */
  readonly handler_duration_buckets: readonly number[];
  readonly streaming_chunks_emitted_total: number;
  readonly streaming_chunks_dropped_total: number;
  /** Calls that this node refused before its handler ran. */
  readonly capability_denied_total: number;
  readonly relayed_flow_controlled_rejected_total: number;
  readonly packet_origin_mismatch_dropped_total: number;
}

/** Counters of all services, by name. */
export interface RpcMetricsSnapshot {
  readonly services: readonly ServiceMetrics[];
  /** Events that no observer heard because the buffer was full. */
  readonly observer_dropped_total: number;
}

/** The counters of one service now. */
export function serviceMetrics(meter: ServiceMeter): ServiceMetrics {
  const { latency, handlerDuration } = meter;
  return {
    service: meter.service,
    calls_total: meter.calls,
    errors_no_route: meter.errorsNoRoute,
    errors_timeout: meter.errorsTimeout,
    errors_server: meter.errorsServer,
    errors_transport: meter.errorsTransport,
    in_flight: meter.inFlight,
    latency_sum_ns: Math.round(latency.sumMs * NS_PER_MS),
    latency_count: latency.count,
    latency_buckets: cumulativeBuckets(latency),
    handler_invocations_total: meter.handlerInvocations,
    handler_panics_total: meter.handlerPanics,
    handler_in_flight: meter.handlersRunning,
    handler_duration_sum_ns: Math.round(handlerDuration.sumMs * NS_PER_MS),
    handler_duration_count: handlerDuration.count,
    handler_duration_buckets: cumulativeBuckets(handlerDuration),
    streaming_chunks_emitted_total: meter.streamChunksEmitted,
    streaming_chunks_dropped_total: meter.streamChunksDropped,
    capability_denied_total: meter.capabilityDenied,
    relayed_flow_controlled_rejected_total: meter.relayedFlowControlledRejected,
    packet_origin_mismatch_dropped_total: meter.packetOriginMismatchDropped,
  };
}

function cumulativeBuckets({ buckets }: Histogram): number[] {
  let sum = 0;
  return buckets.map((count) => sum += count);
}
