/** The helper that drops repeats. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { RedisStreamDedup } from "../../../../../src/log/bus/mod.ts";

Deno.test("RedisStreamDedup forgets the oldest first, and seeing one again keeps it no longer", () => {
  const dedup = new RedisStreamDedup(3);
  assert.deepEqual(["a", "b", "c", "a", "d", "a"].map((id) => dedup.isDuplicate(id)), [
    false,
    false,
    false,
    true,
    false,
    false,
  ]);
  assert.equal(dedup.size, 3);
});

Deno.test("RedisStreamDedup clamps its capacity, and remembers more than 4096 unless told", () => {
  const capacities = [0, -5, 1, 2.9, 2 ** 24, 2 ** 25, Infinity, NaN]
    .map((each) => new RedisStreamDedup(each).capacity);
  const usual = new RedisStreamDedup().capacity;
  assert.deepEqual(capacities, [1, 1, 1, 2, 2 ** 24, 2 ** 24, 2 ** 24, usual]);
  assert.ok(usual >= 10 * 4096);
});

Deno.test("RedisStreamDedup.filter() keeps order and events without an id", () => {
  const dedup = new RedisStreamDedup();
  const events = [{ dedupId: "a" }, {}, { dedupId: "b" }, { dedupId: "a" }, {}];
  assert.deepEqual(dedup.filter(events), [events[0], events[1], events[2], events[4]]);
  assert.deepEqual(dedup.filter([{ dedupId: "b" }]), []);
  dedup.clear();
  assert.equal(dedup.size, 0);
  assert.equal(dedup.filter([{ dedupId: "b" }]).length, 1);
});

Deno.test("RedisStreamDedup does as a plain queue of ids does", () => {
  const ids = fc.array(fc.nat(12).map(String), { maxLength: 200 });
  fc.assert(fc.property(ids, fc.integer({ min: 1, max: 8 }), (each, capacity) => {
    const dedup = new RedisStreamDedup(capacity);
    const queue: string[] = [];
    for (const id of each) {
      const isKnown = queue.includes(id);
      assert.equal(dedup.isDuplicate(id), isKnown);
      if (isKnown) continue;
      queue.push(id);
      if (queue.length > capacity) queue.shift();
      assert.equal(dedup.size, queue.length);
    }
  }));
});
