import assert from "node:assert/strict";
import { prometheusText, RpcMetrics } from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

/** Families and types as `nrpc.md` 15 lists them. */
const FAMILIES = [
  ["nrpc_calls_total", "counter"],
  ["nrpc_errors_total", "counter"],
  ["nrpc_in_flight_calls", "gauge"],
  ["nrpc_call_latency_seconds", "histogram"],
  ["nrpc_handler_invocations_total", "counter"],
  ["nrpc_handler_panics_total", "counter"],
  ["nrpc_handler_in_flight", "gauge"],
  ["nrpc_handler_duration_seconds", "histogram"],
  ["nrpc_streaming_chunks_emitted_total", "counter"],
  ["nrpc_streaming_chunks_dropped_total", "counter"],
  ["nrpc_capability_denied_total", "counter"],
  ["nrpc_relayed_flow_controlled_rejected_total", "counter"],
  ["nrpc_packet_origin_mismatch_dropped_total", "counter"],
];

const createMetrics = () => new RpcMetrics({ clock: new ManualClock() });

Deno.test("prometheusText() has every family in order, each with HELP and TYPE", () => {
  const metrics = createMetrics();
  metrics.of("echo").calls = 1;
  for (const text of [metrics.prometheusText(), createMetrics().prometheusText()]) {
    const lines = text.split("\n");
    assert.deepEqual(
      lines.filter((line) => line.startsWith("# TYPE ")).map((line) => line.split(" ").slice(2)),
      FAMILIES,
    );
    lines.forEach((line, index) => {
      if (!line.startsWith("# TYPE ")) return;
      assert.match(lines[index - 1] ?? "", new RegExp(`^# HELP ${line.split(" ")[2]} .`));
    });
    assert.ok(text.endsWith("\n"));
  }
});

Deno.test("prometheusText() gives one line per service and value", () => {
  const metrics = createMetrics();
  const a = metrics.of("a");
  a.calls = 2;
  a.errorsTimeout = 1;
  a.latency.observe(20);
  a.latency.observe(20_000);
  metrics.of("b").calls = 3;
  const lines = metrics.prometheusText().split("\n");
  const of = (family: string) =>
    lines.filter((line) => line.startsWith(family) && line.includes('"a"'));
  assert.deepEqual(lines.filter((line) => line.startsWith("nrpc_calls_total")), [
    'nrpc_calls_total{service="a"} 2',
    'nrpc_calls_total{service="b"} 3',
  ]);
  assert.deepEqual(of("nrpc_errors_total"), [
    'nrpc_errors_total{service="a",kind="no_route"} 0',
    'nrpc_errors_total{service="a",kind="timeout"} 1',
    'nrpc_errors_total{service="a",kind="server"} 0',
    'nrpc_errors_total{service="a",kind="transport"} 0',
  ]);
  const bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"];
  assert.deepEqual(of("nrpc_call_latency_seconds"), [
    ...bounds.map((le, index) =>
      `nrpc_call_latency_seconds_bucket{service="a",le="${le}"} ${index < 2 ? 0 : 1}`
    ),
    'nrpc_call_latency_seconds_bucket{service="a",le="+Inf"} 2',
    'nrpc_call_latency_seconds_sum{service="a"} 20.02',
    'nrpc_call_latency_seconds_count{service="a"} 2',
  ]);
});

Deno.test("prometheusText() shows no calls in flight below 0", () => {
  const metrics = createMetrics();
  metrics.of("a").inFlight = -1;
  assert.ok(metrics.prometheusText().includes('nrpc_in_flight_calls{service="a"} 0\n'));
  assert.equal(metrics.snapshot().services[0]?.in_flight, -1);
});

Deno.test("prometheusText() escapes backslash, quote, LF and CR in labels (promise 69)", () => {
  const metrics = createMetrics();
  metrics.of('a\\b"c\nd\re').calls = 1;
  assert.ok(
    metrics.prometheusText().includes('nrpc_calls_total{service="a\\\\b\\"c\\nd\\re"} 1\n'),
  );
  assert.equal(prometheusText(metrics.snapshot()).includes("\r"), false);
});
