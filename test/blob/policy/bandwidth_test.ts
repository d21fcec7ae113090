import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BANDWIDTH_CLASSES,
  BandwidthBucket,
  bandwidthClassByte,
  bandwidthClassOf,
} from "../../../src/blob/mod.ts";

const OPTIONS = { fraction: 1, peakBytesPerSecond: 1_000, backgroundFraction: 0.25 };

Deno.test("a bucket grants no more than it held and what came since, debts aside", () => {
  const step = fc.record({
    name: fc.constantFrom("foreground" as const, "background" as const),
    bytes: fc.integer({ min: 0, max: 1_500 }),
    waitMs: fc.integer({ min: 0, max: 3_000 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const bucket = new BandwidthBucket(OPTIONS, 0);
    let [nowMs, granted, excess] = [0, 0, 0];
    for (const { name, bytes, waitMs } of steps) {
      nowMs += waitMs;
      const before = bucket.availableAt(nowMs);
      if (bucket.grant(name, bytes, nowMs)) {
        granted += bytes;
        excess += Math.max(0, bytes - before);
      }
      assert.ok(bucket.availableAt(nowMs) >= 0 && bucket.availableAt(nowMs) <= 1_000);
      assert.ok(granted - excess <= 1_000 + nowMs + 1e-6);
    }
  }));
});

Deno.test("background gets its small grant within a minute of full foreground load", () => {
  const bucket = new BandwidthBucket(OPTIONS, 0);
  let granted = 0;
  for (let nowMs = 0; nowMs < 600_000; nowMs += 100) {
    bucket.grant("foreground", 100, nowMs);
    bucket.grant("foreground", bucket.availableAt(nowMs), nowMs);
    if (bucket.grant("background", 100, nowMs)) granted += 1;
  }
  assert.ok(granted >= 9 && granted <= 10, `${granted}`);
});

Deno.test("what realtime owes is paid by refunds first, then by what runs over", () => {
  const bucket = new BandwidthBucket(OPTIONS, 0);
  bucket.grant("foreground", 900, 0);
  assert.ok(bucket.grant("realtime", 500, 0));
  assert.deepEqual([bucket.debt, bucket.availableAt(0)], [400, 0]);
  bucket.refund(450, 0);
  assert.deepEqual([bucket.debt, bucket.availableAt(0)], [0, 50]);
  bucket.grant("realtime", 450, 0);
  bucket.availableAt(2_000);
  assert.equal(bucket.debt, 0);
});

Deno.test("a bucket keeps its fill when the link changes, and bears any fraction", () => {
  const bucket = new BandwidthBucket(OPTIONS, 0);
  bucket.grant("foreground", 500, 0);
  bucket.configure({ ...OPTIONS, peakBytesPerSecond: 4_000 }, 0);
  assert.equal(bucket.availableAt(0), 2_000);
  assert.equal(bucket.usedAt(0), 2_000);
  for (const fraction of [0, -1, NaN, Infinity]) {
    const capacity = new BandwidthBucket({ ...OPTIONS, fraction }, 0).capacity;
    assert.ok(capacity > 0 && capacity < 0.001);
  }
  assert.equal(new BandwidthBucket({ ...OPTIONS, fraction: 7 }, 0).capacity, 1_000);
});

Deno.test("classes are their bytes, and unknown bytes foreground", () => {
  for (const name of BANDWIDTH_CLASSES) {
    assert.equal(bandwidthClassOf(bandwidthClassByte(name)), name);
  }
  assert.equal(bandwidthClassOf(undefined), "foreground");
  assert.equal(bandwidthClassOf(3), "foreground");
});
