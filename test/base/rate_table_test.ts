import assert from "node:assert/strict";
import { RateTable } from "../../src/base/mod.ts";

Deno.test("RateTable gives each id a rate of its own, and forgets the longest unused", () => {
  const rates = new RateTable({ perSecond: 1, burst: 2 }, 2);
  assert.deepEqual([rates.take(1n, 0), rates.take(1n, 0), rates.take(1n, 0)], [true, true, false]);
  assert.ok(rates.take(2n, 0));
  assert.ok(!rates.take(1n, 500) && rates.take(1n, 1_000));
  assert.ok(rates.take(3n, 1_000));
  assert.ok(!rates.take(1n, 1_000));
  assert.deepEqual([rates.take(2n, 1_000), rates.take(2n, 1_000)], [true, true]);
});
