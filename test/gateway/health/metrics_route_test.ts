import assert from "node:assert/strict";
import { systemRandom } from "../../../src/base/mod.ts";
import { createGatewayApp } from "../../../src/gateway/app.ts";
import { GatewayCounters } from "../../../src/gateway/gateway_counters.ts";
import { metricsRoute } from "../../../src/gateway/health/metrics_route.ts";
import {
  createMetricRegistry,
  OPENMETRICS_TYPE,
  PROMETHEUS_TYPE,
  silentLog,
} from "../../../src/observe/mod.ts";
import { readExposition } from "../../observe/exposition_reader.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

function open() {
  const clock = new ManualClock();
  const metrics = createMetricRegistry();
  const counters = new GatewayCounters();
  metrics.register("http", () => counters.snapshot(), { isSpecified: true });
  metrics.registerFamilies("latency", () => counters.families());
  let reads = 0;
  metrics.register("a", () => ({ reads_total: ++reads }));
  const app = createGatewayApp({
    clock,
    counters,
    random: systemRandom,
    log: silentLog,
    isLocal: true,
    limits: { inFlightMax: 0, requestsPerSecond: 1 },
  }, [metricsRoute({ clock, metrics })]);
  const ask = (accept?: string, method = "GET") =>
    app(
      new Request("http://localhost/metrics", {
        method,
        headers: accept === undefined ? {} : { accept },
      }),
      { remoteHost: "127.0.0.1", onEnd: () => {} },
    );
  return { clock, ask, reads: () => reads };
}

Deno.test("/metrics gives the format that is asked for", async () => {
  const { ask } = open();
  const cases: readonly [accept: string | undefined, type: string][] = [
    [undefined, PROMETHEUS_TYPE],
    ["*/*", PROMETHEUS_TYPE],
    ["text/html,application/xhtml+xml,*/*;q=0.8", PROMETHEUS_TYPE],
    ["text/plain;version=0.0.4;q=0.5,*/*;q=0.1", PROMETHEUS_TYPE],
    [
      "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
      OPENMETRICS_TYPE,
    ],
    ["text/plain;q=0.9, application/openmetrics-text;q=0.3", PROMETHEUS_TYPE],
    ["application/openmetrics-text;q=0", PROMETHEUS_TYPE],
    ["application/openmetrics-text;q=lots", PROMETHEUS_TYPE],
    ["Application/OpenMetrics-Text", OPENMETRICS_TYPE],
    [",;=,".repeat(500), PROMETHEUS_TYPE],
  ];
  for (const [accept, type] of cases) {
    const answer = await ask(accept);
    assert.equal(answer.headers.get("content-type"), type, accept);
    readExposition(
      await answer.text(),
      type === OPENMETRICS_TYPE ? "openmetrics" : "prometheus",
    );
  }
});

Deno.test("/metrics is answered however often, and collects no more than is worth it", async () => {
  const { ask, clock, reads } = open();
  for (let at = 0; at < 50; at++) assert.equal((await ask()).status, 200);
  assert.equal(reads(), 1);
  await clock.advance(1_000);
  const read = readExposition(await (await ask()).text());
  assert.equal(reads(), 2);
  const requests = read.get("http_requests_total")?.samples;
  assert.equal(
    requests?.get('http_requests_total{method="GET",route="/metrics",status="200"}'),
    50,
  );
  assert.ok(read.has("exposition_latency_seconds"));
  const latencies = read.get("request_latency_seconds");
  assert.equal(latencies?.type, "histogram");
  const labels = 'method="GET",route="/metrics"';
  assert.equal(latencies?.samples.get(`request_latency_seconds_count{${labels}}`), 50);
  assert.equal(latencies?.samples.get(`request_latency_seconds_bucket{le="0.001",${labels}}`), 50);
  const head = await ask(undefined, "HEAD");
  assert.equal(head.headers.get("content-type"), PROMETHEUS_TYPE);
  assert.equal((await ask(undefined, "POST")).status, 405);
});
