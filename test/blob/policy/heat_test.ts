import assert from "node:assert/strict";
import fc from "fast-check";
import { coolHeat, decayRate, HeatRegistry, parseBlobHeat } from "../../../src/blob/mod.ts";

const OPTIONS = { isEnabled: true, thresholdRatio: 2, halfLifeMs: 60_000 };

Deno.test("decayRate() never rises, and two steps are one", () => {
  const times = fc.integer({ min: 0, max: 1_000_000 });
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), times, times, (rate, a, b) => {
      const twice = decayRate(decayRate(rate, a, 60_000), b, 60_000);
      const once = decayRate(rate, a + b, 60_000);
      assert.ok(once <= rate);
      assert.ok(Math.abs(twice - once) <= 1e-9 * Math.max(1, once));
    }),
  );
  assert.deepEqual(coolHeat({ rate: 4, atMs: 0 }, 60_000, 60_000), { rate: 2, atMs: 60_000 });
});

Deno.test("HeatRegistry tells a rate once, and again when it doubled", () => {
  const registry = new HeatRegistry(OPTIONS);
  assert.equal(registry.bump("a", 0), 1);
  const [first] = registry.tick(0);
  assert.deepEqual(first, { key: "a", kind: "emit", rate: 1 });
  registry.settle([first!], true, 0);
  assert.deepEqual(registry.tick(0), []);
  registry.bump("a", 0);
  assert.equal(registry.tick(0)[0]?.rate, 2);
});

Deno.test("HeatRegistry tries again after an announcement that failed, and not while one is under way", () => {
  const registry = new HeatRegistry(OPTIONS);
  registry.bump("a", 0);
  const updates = registry.tick(0);
  assert.deepEqual(registry.tick(1), []);
  registry.settle(updates, false, 2);
  assert.equal(registry.tick(3).length, 1);
  assert.deepEqual([registry.counters.emitted, registry.counters.failed], [0, 1]);
});

Deno.test("HeatRegistry takes back what cooled off, and forgets it", () => {
  const registry = new HeatRegistry(OPTIONS);
  registry.bump("a", 0);
  registry.settle(registry.tick(0), true, 0);
  const later = 65 * 60_000;
  const updates = registry.tick(later);
  assert.deepEqual(updates, [{ key: "a", kind: "withdraw", rate: 0 }]);
  registry.settle(updates, true, later);
  assert.equal(registry.size, 0);
});

Deno.test("HeatRegistry keeps the most recently read, and withdrawals go before the hottest", () => {
  const registry = new HeatRegistry({ ...OPTIONS, entriesMax: 2 });
  for (const key of ["a", "b", "a", "c"]) registry.bump(key, 0);
  assert.deepEqual(registry.coldest(0).map(({ key }) => key), ["c", "a"]);
  assert.equal(registry.rateOf("b", 0), undefined);
  assert.equal(registry.counters.evicted, 1);
  assert.equal(registry.drop("c"), false);
  registry.settle(registry.tick(0), true, 0);
  assert.equal(registry.drop("a"), true);
  registry.configure({ ...OPTIONS, entriesMax: 0 }, 0);
  registry.bump("d", 0);
  assert.equal(registry.size, 0);
});

Deno.test("HeatRegistry never announces more than a peer believes", () => {
  const registry = new HeatRegistry(OPTIONS);
  for (let i = 0; i < 1_000; i++) registry.bump(`k${i}`, 0);
  const seen = new Set<string>();
  for (let tick = 0; tick < 4; tick++) {
    const updates = registry.tick(tick);
    assert.ok(updates.length <= 256);
    for (const { key } of updates) seen.add(key);
    registry.settle(updates, true, tick);
  }
  assert.equal(seen.size, 1_000);
  registry.bump("hottest", 4);
  registry.bump("hottest", 4);
  registry.settle(registry.tick(4), true, 4);
  const announced = registry.announced();
  assert.deepEqual([announced.length, announced[0]], [64, { key: "hottest", rate: 2 }]);
});

Deno.test("parseBlobHeat() takes finite numbers only", () => {
  const hex = "ab".repeat(32);
  assert.deepEqual(parseBlobHeat(`heat:blob:${hex}=0.42`), { hex, rate: 0.42 });
  for (const text of ["", " 1", "0x1", "1e999", "Infinity", "1,5", "--1", "."]) {
    assert.equal(parseBlobHeat(`heat:blob:${hex}=${text}`), undefined, text);
  }
});
