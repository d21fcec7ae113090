import assert from "node:assert/strict";
import fc from "fast-check";
import { RequestWindow } from "../../../../src/core/transport/nat/request_window.ts";

Deno.test("RequestWindow never lets through more than it may in any span, and forgets nobody too soon", () => {
  const steps = fc.array(fc.tuple(fc.bigInt(0n, 2n), fc.nat({ max: 4_000 })), { maxLength: 80 });
  fc.assert(fc.property(steps, (requests) => {
    const window = new RequestWindow({ max: 4, windowMs: 10_000, idsMax: 8 });
    const taken = new Map<bigint, number[]>();
    let now = 0;
    for (const [id, pauseMs] of requests) {
      now += pauseMs;
      const times = taken.get(id) ?? [];
      const recent = times.filter((at) => now - at < 10_000).length;
      assert.equal(window.take(id, now), recent < 4);
      if (recent < 4) taken.set(id, [...times, now]);
    }
  }));
});

Deno.test("RequestWindow remembers as many ids as it may", () => {
  const window = new RequestWindow({ max: 1, windowMs: 10, idsMax: 2 });
  for (const id of [1n, 2n, 3n]) assert.ok(window.take(id, 0));
  assert.equal(window.take(3n, 0), false);
  assert.equal(window.take(1n, 0), true);
});
