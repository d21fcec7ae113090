import assert from "node:assert/strict";
import {
  OBSERVER_EVENTS_MAX,
  type RpcCallEvent,
  RpcMetrics,
  type RpcObserverEvent,
} from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { goldenTest } from "../golden.ts";

const sample = (changes: Partial<RpcCallEvent> = {}): RpcCallEvent => ({
  caller: 1n,
  callee: 2n,
  method: "echo",
  latencyMs: 1.9,
  outcome: "ok",
  error: undefined,
  requestBytes: 64,
  responseBytes: 65,
  direction: "outbound",
  unixMs: 1_700_000_000_000.7,
  ...changes,
});

function createObserved() {
  const clock = new ManualClock();
  const metrics = new RpcMetrics({ clock });
  const heard: RpcObserverEvent[] = [];
  metrics.observe((event) => void heard.push(event));
  return { clock, metrics, heard, methods: () => heard.map(({ method }) => method) };
}

interface Invariants {
  readonly observer_invariants: {
    readonly fields: readonly { readonly name: string }[];
    readonly status_discriminator: {
      readonly variants: readonly { readonly kind: string; readonly has_message: boolean }[];
    };
    readonly direction_discriminator: { readonly variants: readonly { readonly kind: string }[] };
  };
}

goldenTest<Invariants>(
  "observe() gives events with the fields and variants of the golden vectors",
  "golden_streaming.json",
  async ({ observer_invariants: golden }) => {
    const { clock, metrics, heard } = createObserved();
    for (const direction of ["outbound", "inbound"] as const) {
      for (const outcome of ["ok", "error", "timeout", "canceled"] as const) {
        metrics.tell(sample({ direction, outcome, error: "text" }));
      }
    }
    await clock.advance(0);
    for (const event of heard) {
      assert.deepEqual(Object.keys(event), golden.fields.map(({ name }) => name));
    }
    assert.deepEqual(
      heard.slice(0, 4).map(({ status }) => ({
        kind: status.kind,
        has_message: "message" in status,
      })),
      golden.status_discriminator.variants.map(({ kind, has_message }) => ({ kind, has_message })),
    );
    assert.deepEqual(
      [...new Set(heard.map(({ direction }) => direction))],
      golden.direction_discriminator.variants.map(({ kind }) => kind),
    );
  },
);

Deno.test("observe() gives whole numbers, and no time before 1970", async () => {
  const { clock, metrics, heard } = createObserved();
  metrics.tell(sample({ unixMs: -5, latencyMs: 5e9 }));
  metrics.tell(sample());
  await clock.advance(0);
  assert.equal(heard[0]?.ts_unix_ms, 0);
  assert.equal(heard[0]?.latency_ms, 0xffff_ffff);
  assert.equal(heard[1]?.ts_unix_ms, 1_700_000_000_000);
  assert.equal(heard[1]?.latency_ms, 1);
});

Deno.test("tell() does not call the observer itself", async () => {
  const { clock, metrics, heard } = createObserved();
  metrics.tell(sample());
  assert.equal(heard.length, 0);
  await clock.advance(0);
  assert.equal(heard.length, 1);
});

Deno.test("tell() drops and counts what a slow observer leaves no room for", async () => {
  const clock = new ManualClock();
  const metrics = new RpcMetrics({ clock });
  const { promise, resolve } = Promise.withResolvers<void>();
  let count = 0;
  metrics.observe(() => {
    count += 1;
    return promise;
  });
  metrics.tell(sample());
  await clock.advance(0);
  for (let index = 0; index < OBSERVER_EVENTS_MAX + 5; index++) metrics.tell(sample());
  await clock.advance(1000);
  assert.equal(count, 1);
  assert.equal(metrics.snapshot().observer_dropped_total, 5);
  resolve();
  assert.ok(await clock.advanceUntil(() => count === OBSERVER_EVENTS_MAX + 1, 1000));
  assert.equal(metrics.counters.observer_waiting, 0);
});

Deno.test("observe() replaces the observer between two events without losing one (promise N9)", async () => {
  const { clock, metrics, heard } = createObserved();
  metrics.tell(sample({ method: "a" }));
  await clock.advance(0);
  metrics.tell(sample({ method: "b" }));
  const later: string[] = [];
  metrics.observe(({ method }) => void later.push(method));
  metrics.tell(sample({ method: "c" }));
  await clock.advance(0);
  assert.deepEqual(heard.map(({ method }) => method), ["a"]);
  assert.deepEqual(later, ["b", "c"]);
  assert.equal(metrics.snapshot().observer_dropped_total, 0);
});

Deno.test("observe() replaces an observer that never ends", async () => {
  const clock = new ManualClock();
  const metrics = new RpcMetrics({ clock });
  metrics.observe(() => new Promise<void>(() => {}));
  metrics.tell(sample({ method: "a" }));
  await clock.advance(0);
  metrics.tell(sample({ method: "b" }));
  const later: string[] = [];
  metrics.observe(({ method }) => void later.push(method));
  await clock.advance(0);
  assert.deepEqual(later, ["b"]);
});

Deno.test("observe() without an observer ends the worker and drops what waits (promise N9)", async () => {
  const { clock, metrics, heard } = createObserved();
  metrics.tell(sample());
  metrics.observe(undefined);
  assert.equal(metrics.isObserved, false);
  metrics.tell(sample());
  await clock.advance(1000);
  assert.equal(heard.length, 0);
  assert.equal(metrics.counters.observer_waiting, 0);
  assert.equal(metrics.snapshot().observer_dropped_total, 1);
});

Deno.test("observe() goes on after an observer that throws", async () => {
  const clock = new ManualClock();
  const metrics = new RpcMetrics({ clock });
  let count = 0;
  metrics.observe(() => {
    count += 1;
    throw new Error("no");
  });
  metrics.tell(sample());
  metrics.tell(sample());
  await clock.advance(0);
  assert.equal(count, 2);
  assert.equal(metrics.counters.observer_failed_total, 2);
});
