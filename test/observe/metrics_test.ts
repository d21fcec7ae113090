import assert from "node:assert/strict";
import { createMetricRegistry } from "../../src/observe/mod.ts";

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
  assert.equal(registry.toPrometheus(), "");
  registry.register("a", () => ({ sent_total: 1, open: 2.5 }));
  assert.equal(
    registry.toPrometheus(),
    "# TYPE net_a_open gauge\nnet_a_open 2.5\n# TYPE net_a_sent_total counter\nnet_a_sent_total 1\n",
  );
});

Deno.test("toPrometheus() types a name once, whatever its labels", () => {
  const registry = createMetricRegistry();
  registry.register("a", () => ({
    'fold_applies_total{fold="x"}': 1,
    'fold_applies_total{fold="y"}': 2,
    "fold_applies_sum": 3,
  }));
  assert.equal(
    registry.toPrometheus(),
    "# TYPE fold_applies_sum gauge\nfold_applies_sum 3\n# TYPE fold_applies_total counter\n" +
      'fold_applies_total{fold="x"} 1\nfold_applies_total{fold="y"} 2\n',
  );
});
