import assert from "node:assert/strict";
import { repeat } from "../../src/base/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";

Deno.test("repeat() goes on until it is stopped, also by what it calls", async () => {
  const clock = new ManualClock();
  let count = 0;
  const stop = repeat(clock, 10, () => {
    if (++count === 3) stop();
  });
  await clock.advance(9);
  assert.equal(count, 0);
  await clock.advance(11);
  assert.equal(count, 2);
  await clock.advance(100);
  assert.equal(count, 3);
});
