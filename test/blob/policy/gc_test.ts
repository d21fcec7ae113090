import assert from "node:assert/strict";
import fc from "fast-check";
import { isDeletable, keepReasons, planGc } from "../../../src/blob/mod.ts";

const RULE = { retentionFloorMs: 1_000, isUnderPressure: false };
const FREE = { refcount: 0, isPinned: false, firstSeenMs: 0 };

const entries = fc.array(
  fc.record({
    key: fc.uuid(),
    sizeBytes: fc.integer({ min: 1, max: 4 << 20 }),
    refcount: fc.nat(2),
    isPinned: fc.boolean(),
    firstSeenMs: fc.nat(2_000),
    isStaged: fc.boolean(),
    isReplica: fc.boolean(),
    isStripeShort: fc.boolean(),
    isInUse: fc.boolean(),
    holders: fc.nat(3),
  }),
  { maxLength: 40 },
);

Deno.test("GC never takes what has a reason to stay, under pressure or not", () => {
  const bounds = fc.record({ victimsMax: fc.nat(20), bytesWanted: fc.nat(16 << 20) });
  fc.assert(fc.property(entries, fc.boolean(), bounds, (chunks, isUnderPressure, options) => {
    const plan = planGc(chunks, { ...RULE, isUnderPressure }, 2_000, options);
    for (const chunk of plan.victims) {
      assert.ok(!chunk.isPinned && chunk.refcount === 0);
      assert.ok(!chunk.isStaged && !chunk.isReplica && !chunk.isStripeShort && !chunk.isInUse);
      assert.ok(isUnderPressure || (chunk.holders ?? 0) > 0 || chunk.firstSeenMs <= 1_000);
    }
    assert.ok(plan.victims.length <= options.victimsMax);
    const kept = Object.values(plan.kept).reduce((sum, count) => sum + count, 0);
    assert.equal(plan.victims.length + plan.left + kept, chunks.length);
    assert.equal(plan.freedBytes, plan.victims.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  }));
});

Deno.test("keepReasons() names every reason, the strongest first", () => {
  const chunk = { ...FREE, isPinned: true, refcount: 2, isStaged: true, firstSeenMs: 500 };
  assert.deepEqual(keepReasons(chunk, RULE, 600), ["pinned", "referenced", "staged", "fresh"]);
  assert.deepEqual(keepReasons(FREE, RULE, 999), ["fresh"]);
  assert.deepEqual(keepReasons(FREE, RULE, 1_000), []);
});

Deno.test("disk pressure and a proven holder bypass the floor, and nothing else", () => {
  assert.ok(isDeletable(FREE, { ...RULE, isUnderPressure: true }, 0));
  assert.ok(isDeletable({ ...FREE, holders: 1 }, RULE, 0));
  assert.ok(!isDeletable({ ...FREE, holders: 9, refcount: 1 }, RULE, 0));
  const spilling = { ...RULE, spillHoldersMin: 2 };
  assert.ok(!isDeletable({ ...FREE, holders: 1, refcount: 1 }, spilling, 0));
  assert.ok(isDeletable({ ...FREE, holders: 2, refcount: 1 }, spilling, 0));
  assert.ok(!isDeletable({ ...FREE, holders: 2, isPinned: true }, spilling, 0));
  assert.ok(
    !isDeletable({ ...FREE, refcount: 1, holders: 9 }, { ...spilling, spillHoldersMin: 0 }, 9_999),
  );
});

Deno.test("planGc() takes the oldest first and stops when enough is freed", () => {
  const chunks = [3, 1, 2].map((at) => ({
    ...FREE,
    key: `k${at}`,
    sizeBytes: 10,
    firstSeenMs: at,
  }));
  const plan = planGc(chunks, RULE, 9_999, { victimsMax: 10, bytesWanted: 11 });
  assert.deepEqual(plan.victims.map(({ key }) => key), ["k1", "k2"]);
  assert.deepEqual([plan.freedBytes, plan.left], [20, 1]);
});
