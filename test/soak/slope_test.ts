import assert from "node:assert/strict";
import { slopeOf } from "./slope.ts";

Deno.test("slopeOf() finds the slope of a line, and none in noise around a level", () => {
  const line = Array.from({ length: 50 }, (_, at) => ({ at, value: 7 + 3 * at }));
  assert.ok(Math.abs(slopeOf(line) - 3) < 1e-9);
  const noise = Array.from({ length: 50 }, (_, at) => ({ at, value: at % 2 === 0 ? 90 : 110 }));
  assert.ok(Math.abs(slopeOf(noise)) < 0.1);
});

Deno.test("slopeOf() has none to find in one moment", () => {
  assert.equal(slopeOf([{ at: 5, value: 1 }, { at: 5, value: 9 }]), 0);
});
