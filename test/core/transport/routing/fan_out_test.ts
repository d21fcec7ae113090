import assert from "node:assert/strict";
import fc from "fast-check";
import { fanOut, fanOutStart } from "../../../../src/core/transport/routing/fan_out.ts";
import {
  ANNOUNCEMENT_FAN_OUT,
  PINGWAVE_FAN_OUT,
} from "../../../../src/core/transport/mesh_limits.ts";

Deno.test("fanOut() reaches all of a few, and shares out copies among many", () => {
  for (const [bounds, all] of [[PINGWAVE_FAN_OUT, 45], [ANNOUNCEMENT_FAN_OUT, 1_024]] as const) {
    for (let n = 0; n <= all; n++) assert.equal(fanOut(n, bounds), n);
    for (let n = all + 1; n < 20_000; n += 37) {
      assert.ok(fanOut(n, bounds) >= bounds.min && fanOut(n, bounds) <= all);
      assert.ok(n * fanOut(n, bounds) <= Math.max(bounds.copies, bounds.min * n));
    }
  }
});

Deno.test("fanOutStart() gives every neighbour its turn", () => {
  const origins = fc.nat(0xffffffff);
  fc.assert(
    fc.property(origins, fc.nat(1_000), fc.integer({ min: 1, max: 2_000 }), (origin, turn, n) => {
      const count = fanOut(n, PINGWAVE_FAN_OUT);
      const reached = new Set<number>();
      for (let i = 0; i < Math.ceil(n / count); i++) {
        const start = fanOutStart(origin, turn + i, n, PINGWAVE_FAN_OUT);
        assert.ok(start >= 0 && start < n);
        for (let j = 0; j < count; j++) reached.add((start + j) % n);
      }
      assert.equal(reached.size, n);
    }),
  );
  assert.equal(fanOutStart(5, 5, 0, PINGWAVE_FAN_OUT), 0);
});
