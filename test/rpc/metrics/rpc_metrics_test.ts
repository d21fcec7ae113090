import assert from "node:assert/strict";
import {
  LATENCY_BOUNDS_SECONDS,
  METERED_SERVICES_MAX,
  OVERFLOW_SERVICE,
  RpcMetrics,
  type ServiceMeter,
} from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { goldenTest } from "../golden.ts";

const createMetrics = () => new RpcMetrics({ clock: new ManualClock() });

/** A call that took so long. */
function count(meter: ServiceMeter, ms: number): void {
  meter.calls += 1;
  meter.latency.observe(ms);
}

interface Invariants {
  readonly metrics_snapshot_invariants: {
    readonly service_metrics_fields: readonly { readonly name: string }[];
  };
}

goldenTest<Invariants>(
  "snapshot() has the fields of the golden vectors, in their order",
  "golden_streaming.json",
  ({ metrics_snapshot_invariants: golden }) => {
    const metrics = createMetrics();
    count(metrics.of("b"), 3);
    count(metrics.of("a"), 3);
    const snapshot = metrics.snapshot();
    assert.deepEqual(Object.keys(snapshot), ["services", "observer_dropped_total"]);
    assert.deepEqual(snapshot.services.map(({ service }) => service), ["a", "b"]);
    assert.deepEqual(
      Object.keys(snapshot.services[0] ?? {}),
      golden.service_metrics_fields.map(({ name }) => name),
    );
  },
);

Deno.test("snapshot() counts durations in 12 cumulative buckets, bounds included", () => {
  const metrics = createMetrics();
  const meter = metrics.of("echo");
  for (const seconds of LATENCY_BOUNDS_SECONDS) count(meter, seconds * 1000);
  count(meter, 10_001);
  meter.handlerDuration.observe(6);
  const [service] = metrics.snapshot().services;
  assert.deepEqual(service?.latency_buckets, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  assert.equal(service?.latency_count, 12);
  assert.equal(service?.latency_sum_ns, (19_440 + 10_001) * 1e6);
  assert.deepEqual(service?.handler_duration_buckets, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
});

Deno.test("of() shares one meter among the services beyond the table", () => {
  const metrics = createMetrics();
  for (let index = 0; index < METERED_SERVICES_MAX; index++) count(metrics.of(`s${index}`), 1);
  count(metrics.of("late"), 1);
  count(metrics.of("later"), 1);
  assert.equal(metrics.of("late"), metrics.of("later"));
  assert.equal(metrics.of(OVERFLOW_SERVICE), metrics.of("late"));
  const { services } = metrics.snapshot();
  assert.equal(services.length, METERED_SERVICES_MAX + 1);
  assert.equal(services.find(({ service }) => service === OVERFLOW_SERVICE)?.calls_total, 2);
  assert.equal(metrics.counters.services, METERED_SERVICES_MAX);
});

Deno.test("of() makes room by services that were never used", () => {
  const metrics = createMetrics();
  for (let index = 0; index < METERED_SERVICES_MAX; index++) metrics.of(`s${index}`);
  const meter = metrics.of("late");
  assert.equal(meter.service, "late");
  assert.equal(metrics.counters.services_evicted_total, METERED_SERVICES_MAX);
});

Deno.test("snapshot() evicts services with zero counters and nothing in flight (promise 69)", () => {
  const metrics = createMetrics();
  metrics.of("unused");
  metrics.of("flying").inFlight = 1;
  metrics.of("running").handlersRunning = 1;
  const served = metrics.of("served");
  served.holders += 1;
  assert.deepEqual(
    metrics.snapshot().services.map(({ service }) => service),
    ["flying", "running", "served"],
  );
  served.overloaded += 1;
  served.holders -= 1;
  assert.equal(metrics.snapshot().services.length, 3);
  assert.equal(metrics.counters.services_evicted_total, 1);
  assert.equal(metrics.counters.requests_overloaded_total, 1);
});
