/** What the gateway counts; labels come from fixed sets, so the table cannot grow without bound. */
import type { CounterSet, MetricFamily, MetricSample } from "../observe/mod.ts";

const METHODS = new Set(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]);

/** Upper bounds in milliseconds (`onions.md` 24). */
const LATENCY_BOUNDS_MS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** Latencies of one route and method. */
interface Latency {
  readonly labels: readonly (readonly [name: string, value: string])[];
  /** Answers by bound, the last for all that took longer. */
  readonly counts: number[];
  sumMs: number;
}

/** Why a request was turned away before a route saw it. */
export type RejectReason =
  | "rate_limited"
  | "too_busy"
  | "draining"
  | "encoding"
  | "body_too_large"
  | "host"
  | "origin"
  | "unauthorized";

/** Counters of the gateway, with the names of `onions.md` 24. */
export class GatewayCounters {
  inFlight = 0;
  integrityFails = 0;
  readonly #answered = new Map<string, number>();
  readonly #latencies = new Map<string, Latency>();
  readonly #rejected: Record<RejectReason, number> = {
    rate_limited: 0,
    too_busy: 0,
    draining: 0,
    encoding: 0,
    body_too_large: 0,
    host: 0,
    origin: 0,
    unauthorized: 0,
  };

  /**
   * Counts an answer that begins.
   *
   * @param route Path of a route, or `none`.
   * @param latencyMs Time since the request came.
   */
  countAnswer(route: string, method: string, status: number, latencyMs: number): void {
    const known = METHODS.has(method) ? method : "other";
    this.#observe(route, known, latencyMs);
    const key = `http_requests_total{route="${route}",method="${known}",status="${status}"}`;
    this.#answered.set(key, (this.#answered.get(key) ?? 0) + 1);
  }

  countReject(reason: RejectReason): void {
    this.#rejected[reason] += 1;
  }

  /** Times until an answer begins, as histograms. */
  families(): readonly MetricFamily[] {
    return [{
      name: "request_latency_seconds",
      type: "histogram",
      help: "Time from a request over HTTP to the beginning of its answer.",
      samples: [...this.#latencies.values()].flatMap(latencySamples),
    }];
  }

  #observe(route: string, method: string, latencyMs: number): void {
    const key = `${method} ${route}`;
    const known = this.#latencies.get(key);
    const latency = known ?? {
      labels: [["route", route], ["method", method]],
      counts: new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0),
      sumMs: 0,
    };
    if (known === undefined) this.#latencies.set(key, latency);
    const bound = LATENCY_BOUNDS_MS.findIndex((boundMs) => latencyMs <= boundMs);
    const at = bound < 0 ? LATENCY_BOUNDS_MS.length : bound;
    latency.counts[at] = (latency.counts[at] ?? 0) + 1;
    latency.sumMs += latencyMs;
  }

  snapshot(): CounterSet {
    return {
      inflight_requests: this.inFlight,
      integrity_fail_total: this.integrityFails,
      ...Object.fromEntries(this.#answered),
      ...Object.fromEntries(
        Object.entries(this.#rejected).map((
          [reason, count],
        ) => [`rejected_total{reason="${reason}"}`, count]),
      ),
    };
  }
}

function latencySamples({ labels, counts, sumMs }: Latency): MetricSample[] {
  let count = 0;
  const buckets = counts.map((own, at): MetricSample => {
    count += own;
    const boundMs = LATENCY_BOUNDS_MS[at];
    const bound = boundMs === undefined ? "+Inf" : String(boundMs / 1000);
    return { suffix: "_bucket", labels: [...labels, ["le", bound]], value: count };
  });
  return [
    ...buckets,
    { suffix: "_sum", labels, value: sumMs / 1000 },
    { suffix: "_count", labels, value: count },
  ];
}
