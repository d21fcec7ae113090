import assert from "node:assert/strict";
import type { Clock } from "../../src/base/mod.ts";
import { createMetricRegistry, LoopLag, processFamilies } from "../../src/observe/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";
import { readExposition } from "./exposition_reader.ts";

Deno.test("snapshot() names areas, sorts, and reads when asked", () => {
  const registry = createMetricRegistry();
  const counters = { rx_total: 0, peers_active: 1 };
  registry.register("transport", () => counters);
  registry.register("blob", () => ({ dataforts_gets_total: 2, chunks: 3 }));
  counters.rx_total = 7;
  const snapshot = registry.snapshot();
  assert.deepEqual(snapshot, {
    dataforts_gets_total: 2,
    net_blob_chunks: 3,
    net_transport_peers_active: 1,
    net_transport_rx_total: 7,
  });
  assert.deepEqual(Object.keys(snapshot), Object.keys(snapshot).toSorted());
  counters.rx_total = 8;
  assert.equal(snapshot.net_transport_rx_total, 7);
  assert.equal(registry.snapshot().net_transport_rx_total, 8);
});

Deno.test("register() replaces an area of the same name", () => {
  const registry = createMetricRegistry();
  registry.register("a", () => ({ old: 1 }));
  registry.register("a", () => ({ new: 2 }));
  assert.deepEqual(registry.snapshot(), { net_a_new: 2 });
});

Deno.test("toPrometheus() types totals as counters and the rest as gauges", () => {
  const registry = createMetricRegistry();
  registry.register("a", () => ({ sent_total: 1, open: 2.5, room_bytes: 3 }));
  const read = readExposition(registry.toPrometheus());
  assert.deepEqual([...read].map(([name, { type, help }]) => [name, type, help]), [
    ["net_a_open", "gauge", "A open, now."],
    ["net_a_room_bytes", "gauge", "A room in bytes, now."],
    ["net_a_sent_total", "counter", "A sent, counted since the start."],
    [
      "net_metrics_read_failures_total",
      "counter",
      "Times that a stage could not be read for an exposition.",
    ],
  ]);
});

Deno.test("families() puts series of a name together, and sums with their counts", () => {
  const registry = createMetricRegistry();
  registry.register("a", () => ({
    'fold_applies_total{fold="x"}': 1,
    'fold_apply_sum{fold="x"}': 0.5,
    'fold_entries_total{fold="x"}': 7,
    'fold_applies_total{fold="y",outcome="a\\nb"}': 2,
    'fold_apply_sum{fold="y"}': 0.25,
    'fold_apply_count{fold="x"}': 3,
    'fold_apply_count{fold="y"}': 2,
  }));
  const read = readExposition(registry.toPrometheus());
  assert.deepEqual([...read.get("fold_applies_total")?.samples ?? []], [
    ['fold_applies_total{fold="x"}', 1],
    ['fold_applies_total{fold="y",outcome="a\\nb"}', 2],
  ]);
  assert.equal(read.get("fold_apply")?.type, "summary");
  assert.deepEqual([...read.get("fold_apply")?.samples.values() ?? []], [0.5, 3, 0.25, 2]);
  assert.equal(read.get("fold_entries_total")?.type, "gauge", "it goes down as well");
  readExposition(registry.toOpenMetrics(), "openmetrics");
});

Deno.test("families() tells no series twice, and no total beside its parts", () => {
  const registry = createMetricRegistry();
  registry.register("a", () => ({ 'dataforts_x_total{b="1"}': 1, 'dataforts_x_total{b="2"}': 2 }));
  registry.register("b", () => ({ dataforts_x_total: 3 }));
  registry.registerFamilies("c", () => [{
    name: "dataforts_x_total",
    type: "counter",
    help: "Again.",
    samples: [{ labels: [["b", "2"]], value: 9 }, { labels: [["b", "3"]], value: 4 }],
  }]);
  const read = readExposition(registry.toPrometheus());
  assert.deepEqual([...read.get("dataforts_x_total")?.samples.values() ?? []], [1, 2, 4]);
});

Deno.test("families() leaves out what cannot be read, and counts that", () => {
  const registry = createMetricRegistry();
  registry.register("a", () => {
    throw new Error("stopped");
  });
  registry.registerFamilies("b", () => {
    throw new Error("stopped");
  });
  registry.register("c", () => ({ open: 1 }));
  const read = readExposition(registry.toPrometheus());
  assert.equal(read.get("net_c_open")?.samples.get("net_c_open{}"), 1);
  const failures = read.get("net_metrics_read_failures_total");
  assert.deepEqual([...failures?.samples.values() ?? []], [2]);
});

Deno.test("LoopLag knows the last lag and the largest of a minute", async () => {
  const manual = new ManualClock();
  let lateMs = 0;
  const clock: Clock = {
    now: () => manual.now() + lateMs,
    wallMs: () => manual.wallMs(),
    after: (ms, action) => manual.after(ms, action),
    soon: (action) => manual.soon(action),
  };
  const lag = new LoopLag(clock);
  lag.start();
  lag.start();
  await manual.advance(1_000);
  assert.deepEqual([lag.lastMs, lag.largestMs], [0, 0]);
  lateMs = 150;
  await manual.advance(250);
  assert.deepEqual([lag.lastMs, lag.largestMs], [150, 150]);
  await manual.advance(30_000);
  assert.deepEqual([lag.lastMs, lag.largestMs], [0, 150]);
  await manual.advance(40_000);
  assert.equal(lag.largestMs, 0);
  lag.stop();
});

Deno.test("processFamilies() tells what every process is asked for", () => {
  const registry = createMetricRegistry();
  registry.registerFamilies("process", processFamilies);
  const read = readExposition(registry.toPrometheus());
  const value = (name: string) => read.get(name)?.samples.get(`${name}{}`) ?? NaN;
  assert.ok(value("process_resident_memory_bytes") > 1_000_000);
  assert.ok(value("process_open_fds") >= 3);
  assert.ok(value("process_cpu_seconds_total") > 0);
  const startMs = value("process_start_time_seconds") * 1000;
  assert.ok(startMs > Date.now() - 3_600_000 && startMs <= Date.now());
});
