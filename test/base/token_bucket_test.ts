import assert from "node:assert/strict";
import fc from "fast-check";
import { TokenBucket } from "../../src/base/mod.ts";

Deno.test("TokenBucket.take() never gives more than it held and gained", () => {
  const steps = fc.array(fc.record({ waitMs: fc.nat(500), count: fc.nat(15) }), { maxLength: 50 });
  fc.assert(fc.property(steps, (list) => {
    const bucket = new TokenBucket({ perSecond: 10 }, 0);
    let now = 0;
    let taken = 0;
    for (const { waitMs, count } of list) {
      now += waitMs;
      if (bucket.take(count, now)) taken += count;
      assert.ok(taken <= 10 + now / 100 + 1e-6);
    }
  }));
});

Deno.test("TokenBucket.take() takes all or nothing, and holds one second's worth", () => {
  const bucket = new TokenBucket({ perSecond: 10 }, 0);
  assert.ok(!bucket.take(11, 0));
  assert.ok(bucket.take(10, 0));
  assert.ok(!bucket.has(1, 99));
  assert.ok(bucket.take(1, 100));
  assert.ok(bucket.has(10, 1e9));
  assert.ok(!bucket.has(11, 1e9));
});

Deno.test("TokenBucket.take() holds as much as its burst, whatever its rate", () => {
  const bucket = new TokenBucket({ perSecond: 0.5, burst: 8 }, 0);
  assert.ok(bucket.take(8, 0));
  assert.ok(!bucket.take(1, 1_999));
  assert.ok(bucket.take(1, 2_000));
  assert.ok(bucket.take(8, 1e9));
  assert.ok(!bucket.take(1, 1e9));
});

Deno.test("TokenBucket.has() takes a clock that goes back for one that stands", () => {
  const bucket = new TokenBucket({ perSecond: 10 }, 1_000);
  assert.ok(bucket.take(10, 1_000));
  assert.ok(!bucket.has(1, 0));
  assert.ok(bucket.has(1, 100));
});
