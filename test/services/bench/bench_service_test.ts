import assert from "node:assert/strict";
import { createMetricRegistry, type MetricRegistry } from "../../../src/observe/mod.ts";
import {
  type BenchPolicy,
  type BenchProgress,
  BenchService,
  type MeasureOptions,
} from "../../../src/services/bench/mod.ts";
import { BENCH_SUBPROTOCOL, encodeBenchMessage } from "../../../src/services/bench/wire.ts";
import { type KitNode, MeshKit } from "../../sim/mesh_kit.ts";

/** A slow link, so that little has to be simulated. */
const LINK = { lossRate: 0, duplicateRate: 0, delayMs: 10, jitterMs: 0 };

interface Measurer {
  readonly node: KitNode;
  readonly service: BenchService;
  readonly metrics: MetricRegistry;
}

let runs = 0;

function measurer(kit: MeshKit, node: KitNode, policy: BenchPolicy = "proven"): Measurer {
  const metrics = createMetricRegistry();
  const service = new BenchService({
    clock: kit.clock,
    random: () => Uint8Array.of(1, 2, 3, ++runs),
    metrics,
    mesh: node,
    policy,
  });
  void service.start();
  return { node, service, metrics };
}

async function pair(
  kit: MeshKit,
  options: { readonly isSealing?: boolean; readonly policy?: BenchPolicy } = {},
) {
  const [a, b] = [kit.node(1), kit.node(2, { isSealing: options.isSealing })];
  await kit.connect(a, b);
  kit.network.conditions = LINK;
  return { a: measurer(kit, a), b: measurer(kit, b, options.policy) };
}

function measure(from: Measurer, to: Measurer, options: MeasureOptions = {}) {
  return from.service.measure(to.node.nodeId, { seconds: 0.3, size: 500, ...options });
}

Deno.test("BenchService.measure() counts round trips and events both ways", async () => {
  using kit = new MeshKit();
  const { a, b } = await pair(kit);
  const told: BenchProgress[] = [];
  const report = await kit.settle(measure(a, b, { onProgress: (now) => told.push(now) }));

  assert.equal(report.secondsPerStep, 0.3);
  const { roundTrip } = report;
  assert.deepEqual([roundTrip.sent, roundTrip.received, roundTrip.loss], [15, 15, 0]);
  for (const ms of [roundTrip.times?.min, roundTrip.times?.p50, roundTrip.times?.p99]) {
    assert.ok(ms !== undefined && ms >= 20 && ms < 21, `${ms} ms`);
  }
  assert.deepEqual(report.traffic.map(({ way, size }) => [way, size]), [["out", 500], ["in", 500]]);
  for (const row of report.traffic) {
    assert.ok(row.isComplete);
    assert.ok(row.events > 1_000, `${row.events} events`);
    assert.ok(row.seconds > 0.2 && row.seconds < 0.35, `${row.seconds} s`);
    assert.equal(row.eventsPerSecond, row.events / row.seconds);
    assert.equal(row.bytesPerSecond, row.events * 500 / row.seconds);
    assert.equal(row.lost, 0);
    assert.equal(row.duplicates, row.resent, "what was sent again came twice");
    assert.equal(row.packets, Math.ceil(row.events / 16), "16 events of 504 bytes fit a packet");
  }
  assert.deepEqual([...new Set(told.map(({ what }) => what))], ["round_trip", "out", "in"]);
  assert.equal(b.metrics.snapshot().net_bench_runs_served_total, 1);
  // Both are free again.
  assert.ok((await kit.settle(measure(b, a))).roundTrip.received > 0);
});

Deno.test("BenchService.measure() measures loss, and counts each event once under it", async () => {
  using kit = new MeshKit();
  const { a, b } = await pair(kit);
  kit.network.conditions = { lossRate: 0.1, duplicateRate: 0.05, delayMs: 3, jitterMs: 2 };
  const report = await kit.settle(measure(a, b, { seconds: 2, streams: 3 }));
  // A round trip is two chances to get lost: 0.9² = 0.81.
  assert.ok(report.roundTrip.loss > 0, "echoes were lost");
  for (const row of report.traffic) {
    assert.ok(row.isComplete, `${row.way} is complete`);
    assert.ok(row.resent > 0 && row.lost > 0 && row.duplicates > 0);
    // Everything lost was sent again, and what was sent again needlessly came twice.
    assert.ok(row.lost <= row.resent + row.duplicates, JSON.stringify(row));
    const lossShare = row.lost / (row.packets + row.resent);
    assert.ok(lossShare > 0.02 && lossShare < 0.2, `${lossShare}`);
  }
});

Deno.test("BenchService.measure() works both ways over a relay", async () => {
  using kit = new MeshKit();
  const [a, relay, b] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, relay);
  await kit.connect(b, relay);
  await kit.connect(a, b, relay);
  kit.network.conditions = LINK;
  const [left, right] = [measurer(kit, a), measurer(kit, b)];
  assert.ok(a.transport.peer(b.nodeId)?.isRelayed);
  for (const [from, to] of [[left, right], [right, left]] as const) {
    const report = await kit.settle(measure(from, to, { seconds: 0.2 }));
    assert.ok(report.roundTrip.received > 0);
    for (const row of report.traffic) assert.ok(row.events > 0 && row.isComplete);
  }
});

Deno.test("BenchService refuses peers that did not prove who they are, unless told otherwise", async () => {
  for (const policy of ["proven", "any"] as const) {
    using kit = new MeshKit();
    const { a, b } = await pair(kit, { isSealing: false, policy });
    const measuring = kit.settle(measure(a, b));
    if (policy === "any") assert.ok((await measuring).roundTrip.received > 0);
    else {
      await assert.rejects(measuring, { code: "not_allowed", next: /--bench any/ });
      assert.equal(b.metrics.snapshot().net_bench_runs_refused_total, 1);
    }
  }
});

Deno.test("BenchService refuses everybody where measurements are off", async () => {
  using kit = new MeshKit();
  const { a, b } = await pair(kit, { policy: "off" });
  await assert.rejects(kit.settle(measure(a, b)), { code: "not_allowed", next: /--bench off/ });
});

Deno.test("BenchService takes part in one measurement at a time", async () => {
  using kit = new MeshKit();
  const { a, b } = await pair(kit);
  const c = measurer(kit, kit.node(3));
  await kit.connect(c.node, b.node);
  const first = measure(a, b);
  await kit.clock.advance(100);
  await assert.rejects(measure(a, b), { code: "conflict" });
  await assert.rejects(measure(b, a), { code: "conflict" }, "b is being measured with");
  await assert.rejects(kit.settle(measure(c, b)), { code: "conflict", next: /repeat/ });
  assert.ok((await kit.settle(first)).roundTrip.received > 0, "the first one is not disturbed");
});

Deno.test("BenchService ends a run whose asker fell silent", async () => {
  using kit = new MeshKit();
  const { a, b } = await pair(kit);
  const stop = new AbortController();
  const measuring = measure(a, b, { seconds: 5, signal: stop.signal });
  await kit.clock.advance(7_000);
  kit.network.filter = (_, from) => from.host !== a.node.address.host;
  stop.abort(new Error("enough"));
  await assert.rejects(kit.settle(measuring), /enough/);
  // It did not hear the goodbye, so it waits for the lease.
  assert.equal(b.metrics.snapshot().net_bench_runs_expired_total, 0);
  kit.network.filter = undefined;
  await kit.clock.advance(6_000);
  assert.equal(b.metrics.snapshot().net_bench_runs_expired_total, 1);
  await kit.clock.advance(3_000);
  const left = b.node.transport.streams(a.node.nodeId).filter(({ send }) => send !== undefined);
  assert.deepEqual(
    left.filter(({ send }) => (send?.unacked ?? 0) > 0),
    [],
    "nothing is still sent",
  );
  assert.ok((await kit.settle(measure(a, b))).roundTrip.received > 0);
});

Deno.test("BenchService.stop() ends what it asks for and what it serves", async () => {
  using kit = new MeshKit();
  const { a, b } = await pair(kit);
  const measuring = measure(a, b, { seconds: 5 });
  await kit.clock.advance(7_000);
  const startedAt = kit.clock.now();
  await a.service.stop();
  await assert.rejects(kit.settle(measuring), { code: "draining" });
  assert.ok(kit.clock.now() - startedAt < 10, "at once");
  await assert.rejects(measure(a, b), { code: "not_ready" });
  await a.service.start();
  assert.ok((await kit.settle(measure(a, b))).roundTrip.received > 0, "the other side heard of it");
});

Deno.test("BenchService bounds what a peer may ask for", async () => {
  using kit = new MeshKit();
  const { a, b } = await pair(kit);
  const answers: number[][] = [];
  void a.service.stop();
  a.node.transport.onMessage(BENCH_SUBPROTOCOL, ({ payload }) => answers.push([...payload]));
  const send = async (message: Parameters<typeof encodeBenchMessage>[0]) => {
    answers.length = 0;
    const bytes = encodeBenchMessage(message);
    a.node.transport.sendMessage(b.node.nodeId, BENCH_SUBPROTOCOL, 0x2201n, bytes);
    await kit.clock.advance(50);
    assert.equal(answers.length, 1);
    const [kind, , , , , , , , reason] = answers[0] ?? [];
    return { kind, reason };
  };
  const REFUSED = 3;
  const [LIMITS, NO_RUN] = [4, 5];
  const spec = {
    way: "in",
    streams: 1,
    eventBytes: 64,
    windowBytes: 65_536,
    durationMs: 1,
  } as const;
  assert.deepEqual(await send({ kind: "open", run: 9, step: 0, runMs: 60_001 }), {
    kind: REFUSED,
    reason: LIMITS,
  });
  assert.deepEqual(await send({ kind: "step", run: 9, step: 1, spec }), {
    kind: REFUSED,
    reason: NO_RUN,
  });
  assert.equal((await send({ kind: "open", run: 9, step: 0, runMs: 60_000 })).kind, 2);
  assert.equal((await send({ kind: "open", run: 9, step: 0, runMs: 60_000 })).kind, 2, "repeated");
  assert.deepEqual(await send({ kind: "ask", run: 9, step: 1 }), { kind: REFUSED, reason: NO_RUN });
  const wide = { ...spec, streams: 512, windowBytes: 1_048_576 };
  assert.deepEqual(await send({ kind: "step", run: 9, step: 1, spec: wide }), {
    kind: REFUSED,
    reason: LIMITS,
  });
  assert.deepEqual(await send({ kind: "step", run: 9, step: 8, spec }), {
    kind: REFUSED,
    reason: LIMITS,
  });
  assert.equal((await send({ kind: "close", run: 9, step: 0 })).kind, 11);
  assert.equal((await send({ kind: "close", run: 9, step: 0 })).kind, 11, "repeated");
});

Deno.test("BenchService.measure() says when the peer does not answer, is lost or not there", async () => {
  using kit = new MeshKit();
  const { a, b } = await pair(kit);
  await assert.rejects(a.service.measure(99n), { code: "not_found", next: /net node peers/ });
  await assert.rejects(measure(a, b, { seconds: 60 }), { code: "usage" });
  await assert.rejects(measure(a, b, { size: 9_000 }), { code: "usage" });
  await assert.rejects(measure(a, b, { streams: 0 }), { code: "usage" });
  await b.service.stop();
  await assert.rejects(kit.settle(measure(a, b)), { code: "timeout", next: /net node trace/ });
  await b.service.start();
  const measuring = measure(a, b, { seconds: 5 });
  await kit.clock.advance(500);
  b.node.transport.stop();
  await assert.rejects(kit.settle(measuring), { code: "unreachable", next: /net node peers/ });
});
