import assert from "node:assert/strict";
import { parseSubnetId } from "../../../../../src/base/mod.ts";
import {
  Aggregator,
  type AggregatorOptions,
  decodeSummary,
  encodeSummary,
  FoldSet,
  type FoldSummary,
  summaryChannel,
} from "../../../../../src/core/capability/mod.ts";
import { isValidChannelName } from "../../../../../src/core/crypto/mod.ts";
import { ManualClock } from "../../../../sim/manual_clock.ts";
import { membershipOf, reservationOf } from "../fold_samples.ts";

const SUBNETS = new Map([[1n, "1.2"], [2n, "1.2.9"], [3n, "1.3"], [4n, "1"], [5n, "2"]]);
const subnetId = (text: string) => parseSubnetId(text) ?? 0;
const SOURCE = subnetId("1");

function start(options: Partial<AggregatorOptions> = {}) {
  const folds = new FoldSet({ clock: new ManualClock() }, { nodeId: 42n });
  const locate = (node: bigint) => parseSubnetId(SUBNETS.get(node) ?? "");
  const aggregator = new Aggregator(
    { folds, locate },
    { sourceSubnet: SOURCE, foldKinds: [1, 3], ...options },
    0,
  );
  return { folds, aggregator };
}

/** Buckets that are not 0, as an object. */
function counted(summary: FoldSummary | undefined): Record<string, number> {
  return Object.fromEntries(
    (summary?.buckets ?? []).filter(({ count }) => count > 0n)
      .map(({ name, count }) => [name, Number(count)]),
  );
}

Deno.test("Aggregator.tick() counts memberships by state and class, hardware and subnets", () => {
  const { folds, aggregator } = start({ foldKinds: [1] });
  const hardware = (gpuCount: number, memoryGb: number, vramGb?: number) => ({
    gpuVendor: undefined,
    gpuCount,
    memoryGb,
    vramGb,
  });
  folds.apply(membershipOf({ nodeId: 1n }, { hardware: hardware(2, 64, 48) }));
  folds.apply(membershipOf({ nodeId: 1n, classHash: 0xabn }, { state: "busy" }));
  folds.apply(membershipOf({ nodeId: 1n, classHash: 0xacn }, { hardware: hardware(1, 64) }));
  folds.apply(membershipOf({ nodeId: 2n }, { hardware: hardware(0, 16) }));
  folds.apply(membershipOf({ nodeId: 3n }, { state: "faulty" }));
  folds.apply(membershipOf({ nodeId: 4n }));
  // Elsewhere, and nowhere.
  folds.apply(membershipOf({ nodeId: 5n }));
  folds.apply(membershipOf({ nodeId: 6n }));
  const [summary, ...more] = aggregator.tick();
  assert.equal(more.length, 0);
  assert.deepEqual(
    [summary?.sourceSubnet, summary?.foldKind, summary?.generation],
    [SOURCE, 1, 1n],
  );
  assert.deepEqual(counted(summary), {
    "busy": 1,
    "class/0x0/faulty": 1,
    "class/0x0/idle": 3,
    "class/0xab/busy": 1,
    "class/0xac/idle": 1,
    "faulty": 1,
    "hardware/gpus": 2,
    "hardware/memory_gb": 80,
    "hardware/nodes": 2,
    "hardware/vram_gb": 48,
    "idle": 4,
    "subnet/1": 1,
    "subnet/1.2": 2,
    "subnet/1.3": 1,
  });
  // The reference's buckets are there even when they are 0, and all are in order.
  const names = summary?.buckets.map(({ name }) => name) ?? [];
  assert.ok(["busy", "faulty", "idle", "reserved"].every((name) => names.includes(name)));
  assert.deepEqual(names, names.toSorted());
});

Deno.test("Aggregator.tick() counts everybody for the global subnet, wherever they are", () => {
  const { folds, aggregator } = start({ sourceSubnet: 0, foldKinds: [1] });
  for (const nodeId of [1n, 3n, 5n, 6n]) folds.apply(membershipOf({ nodeId }));
  assert.deepEqual(counted(aggregator.tick()[0]), {
    "class/0x0/idle": 4,
    "idle": 4,
    "subnet/1": 2,
    "subnet/2": 1,
  });
});

Deno.test("Aggregator.tick() counts reservations by state and class", () => {
  const { folds, aggregator } = start({ sourceSubnet: 0, foldKinds: [3] });
  const held = { kind: "reserved", holder: 1n, untilUs: 9n } as const;
  folds.apply(reservationOf({ nodeId: 1n }, held, 1n));
  folds.apply(reservationOf({ nodeId: 1n, classHash: 7n }, held, 2n));
  folds.apply(reservationOf({ nodeId: 1n }, { kind: "free" }, 3n));
  folds.apply(reservationOf({ nodeId: 1n }, { kind: "active", holder: 1n, jobId: 1n }, 4n));
  assert.deepEqual(counted(aggregator.tick()[0]), {
    "active": 1,
    "class/0x0/active": 1,
    "class/0x0/free": 1,
    "class/0x0/reserved": 1,
    "class/0x7/reserved": 1,
    "free": 1,
    "reserved": 2,
  });
});

Deno.test("Aggregator.tick() tells of what has changed, and keeps the latest", () => {
  const { folds, aggregator } = start({ sourceSubnet: 0 });
  assert.equal(aggregator.tick().length, 2, "the first of each kind");
  assert.equal(aggregator.tick().length, 0);
  folds.apply(membershipOf({ nodeId: 1n }));
  assert.deepEqual(aggregator.tick().map((one) => [one.foldKind, one.generation]), [[1, 3n]]);
  assert.deepEqual(aggregator.latest(1).map(({ generation }) => generation), [1n, 3n]);
  assert.deepEqual(aggregator.latest(3).map(({ generation }) => generation), [1n]);
  const now = aggregator.summariseNow(1);
  assert.deepEqual([now.news.length, now.summaries.length], [0, 2]);
  for (let nodeId = 2n; nodeId < 60n; nodeId++) {
    folds.apply(membershipOf({ nodeId }));
    assert.equal(aggregator.summariseNow(1).summaries.length, 1);
  }
  assert.equal(aggregator.summaries.length, 32);
  // Others changed often enough to push it out; it still is the last of its kind.
  assert.deepEqual(aggregator.latest(3).map(({ generation }) => generation), [1n]);
});

Deno.test("Aggregator.tick() makes no more buckets than fit one event", () => {
  const { folds, aggregator } = start({ sourceSubnet: 0, foldKinds: [1] });
  for (let i = 0n; i < 200n; i++) {
    const nodeId = i + 100n;
    SUBNETS.set(nodeId, `${i + 1n}`);
    const classHash = (1n << 63n) + i;
    for (const state of ["idle", "busy", "reserved", "faulty"] as const) {
      folds.apply(
        membershipOf({ nodeId: nodeId + BigInt(state.length) * 1_000n, classHash }, { state }),
      );
    }
    folds.apply(membershipOf({ nodeId, classHash }));
  }
  const [summary] = aggregator.tick();
  assert.ok(summary !== undefined);
  assert.ok(summary.buckets.length <= 4 + 33 * 4 + 4 + 65);
  assert.deepEqual(decodeSummary(encodeSummary(summary)), summary);
  assert.equal(counted(summary)["subnet/other"], 200 - 64);
  assert.ok((counted(summary)["class/other/idle"] ?? 0) > 0);
});

Deno.test("Aggregator refuses what it cannot count, and knows when it is behind", () => {
  assert.throws(() => start({ foldKinds: [] }), RangeError);
  assert.throws(() => start({ foldKinds: [2] }), RangeError);
  assert.throws(() => start({ foldKinds: [99], summarisers: { 99: () => [] } }), RangeError);
  assert.throws(() => start({ intervalMs: 0 }), RangeError);
  const islands = {
    4: (folds: FoldSet) => [{ name: "islands", count: BigInt(folds.islands.size) }],
  };
  const { aggregator } = start({ foldKinds: [4], summarisers: islands });
  assert.deepEqual(aggregator.tick()[0]?.buckets, [{ name: "islands", count: 0n }]);
  assert.ok(aggregator.isHealthy(119_999));
  assert.ok(!aggregator.isHealthy(120_000));
});

Deno.test("summaryChannel() names a channel for each kind", () => {
  assert.equal(summaryChannel(1), "summary/0x0001");
  assert.equal(summaryChannel(0xabc), "summary/0x0abc");
  assert.ok(isValidChannelName(summaryChannel(3)));
});
