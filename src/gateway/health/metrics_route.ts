/**
 * `/metrics`: everything that is counted, in the text format of Prometheus or in OpenMetrics, by what the client
 * asks for.
 *
 * It is vital, so nobody is turned away; asked very often, it gives the same text again instead.
 */
import type { Clock } from "../../base/mod.ts";
import { type MetricRegistry, OPENMETRICS_TYPE, PROMETHEUS_TYPE } from "../../observe/mod.ts";
import type { GatewayRoute } from "../route.ts";
import { vital } from "./health_routes.ts";

/** A text is given out again for so long: collecting takes a few milliseconds of the event loop. */
const KEEP_MS = 100;

/** What {@linkcode metricsRoute} needs. */
export interface MetricsRouteDeps {
  readonly clock: Clock;
  readonly metrics: Pick<MetricRegistry, "toPrometheus" | "toOpenMetrics" | "registerFamilies">;
}

/** The route. */
export function metricsRoute({ clock, metrics }: MetricsRouteDeps): GatewayRoute {
  const kept = new Map<
    string,
    { readonly bytes: Uint8Array<ArrayBuffer>; readonly atMs: number }
  >();
  let latencyMs = 0;
  metrics.registerFamilies("exposition", () => [{
    name: "exposition_latency_seconds",
    type: "gauge",
    help: "Time that collecting the metrics took last.",
    samples: [{ value: latencyMs / 1000 }],
  }]);
  const collect = (type: string): Uint8Array<ArrayBuffer> => {
    const startMs = clock.now();
    const known = kept.get(type);
    if (known !== undefined && startMs - known.atMs < KEEP_MS) return known.bytes;
    const text = type === OPENMETRICS_TYPE ? metrics.toOpenMetrics() : metrics.toPrometheus();
    const bytes = new TextEncoder().encode(text);
    latencyMs = clock.now() - startMs;
    kept.set(type, { bytes, atMs: clock.now() });
    return bytes;
  };
  return vital("/metrics", ({ headers }) => {
    const type = chooseExposition(headers.get("accept") ?? "");
    const bytes = collect(type);
    return new Response(bytes, {
      headers: {
        "content-type": type,
        "content-length": String(bytes.length),
        "cache-control": "no-store",
        "vary": "accept",
      },
    });
  });
}

/** Content type for a client that accepts this: OpenMetrics if it prefers that by name, else the text format. */
export function chooseExposition(accept: string): string {
  let open = 0;
  let text = 0;
  for (const range of accept.slice(0, 1_024).toLowerCase().split(",")) {
    const [media = "", ...parameters] = range.split(";").map((part) => part.trim());
    const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1";
    const weight = Number(quality);
    if (!(weight >= 0 && weight <= 1)) continue;
    if (media === "application/openmetrics-text") open = Math.max(open, weight);
    if (media === "text/plain" || media === "text/*") text = Math.max(text, weight);
  }
  return open > 0 && open >= text ? OPENMETRICS_TYPE : PROMETHEUS_TYPE;
}
