import assert from "node:assert/strict";
import fc from "fast-check";
import { WarmCache } from "../../../src/blob/mod.ts";

const OPTIONS = { capBytes: 100, entryCapBytes: 60, entriesMax: 8, restMs: 0 };

Deno.test("admission never exceeds the quota, and never gives up something warmer", () => {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 20 }),
    bytes: fc.nat(80),
    waitMs: fc.nat(30),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), fc.nat(50), (steps, restMs) => {
    const warmth = (key: string) => Number(key) % 5;
    const cache = new WarmCache({ ...OPTIONS, restMs }, warmth);
    const sizes = new Map<string, number>();
    const since = new Map<string, number>();
    let nowMs = 0;
    for (const { key, bytes, waitMs } of steps) {
      nowMs += waitMs;
      const name = String(key);
      const verdict = cache.admit(name, bytes, nowMs);
      assert.equal(verdict.isAdmitted && bytes > 60, false);
      if (verdict.isAdmitted) {
        for (const victim of verdict.evicted) {
          assert.ok(warmth(victim) <= warmth(name) && victim !== name);
          assert.ok(nowMs - (since.get(victim) ?? 0) >= restMs);
          sizes.delete(victim);
          since.delete(victim);
        }
        sizes.set(name, Math.min(60, (sizes.get(name) ?? 0) + bytes));
        since.set(name, since.get(name) ?? nowMs);
      }
      assert.ok(cache.bytes <= 100 && cache.size <= 8);
      assert.equal(cache.bytes, [...sizes.values()].reduce((sum, size) => sum + size, 0));
    }
  }));
});

Deno.test("a scan of what is read once does not wash out what is read often", () => {
  const cache = new WarmCache(OPTIONS, (key) => key.startsWith("hot") ? 3 : 0);
  cache.admit("hot1", 40, 0);
  cache.admit("hot2", 40, 0);
  for (let i = 0; i < 100; i++) cache.admit(`scan${i}`, 20, i);
  assert.deepEqual([cache.bytesOf("hot1"), cache.bytesOf("hot2"), cache.bytes], [40, 40, 100]);
  assert.deepEqual(cache.admit("scan", 30, 100), { isAdmitted: false, reason: "colder" });
});

Deno.test("of equally warm entries the one without use for the longest time goes", () => {
  const cache = new WarmCache(OPTIONS, () => 0);
  for (const key of ["a", "b", "c"]) cache.admit(key, 30, 0);
  assert.ok(cache.touch("a") && !cache.touch("z"));
  assert.deepEqual(cache.admit("d", 30, 1), { isAdmitted: true, isNew: true, evicted: ["b"] });
});

Deno.test("entries that came just now stay, except when the quota itself shrinks", () => {
  const cache = new WarmCache({ ...OPTIONS, restMs: 1_000 }, (key) => key === "z" ? 9 : 0);
  cache.admit("a", 60, 0);
  assert.deepEqual(cache.admit("z", 60, 999), { isAdmitted: false, reason: "resting" });
  assert.deepEqual(cache.configure({ ...OPTIONS, capBytes: 50, restMs: 1_000 }, 999), ["a"]);
  assert.equal(cache.bytes, 0);
});

Deno.test("a file that is larger than thought brings the cache above its quota, and shrink() below", () => {
  const cache = new WarmCache(OPTIONS, () => 0);
  cache.admit("a", 50, 0);
  cache.admit("b", 50, 0);
  cache.resync("b", 70);
  cache.resync("z", 70);
  assert.equal(cache.bytes, 120);
  assert.deepEqual(cache.shrink(1), ["a"]);
  assert.deepEqual([cache.bytes, cache.size], [70, 1]);
});
