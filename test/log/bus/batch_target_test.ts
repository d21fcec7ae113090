import assert from "node:assert/strict";
import { BatchTarget } from "../../../src/log/bus/batch_target.ts";

const CONFIG = {
  eventsMin: 1_000,
  eventsMax: 10_000,
  delayMaxMs: 10,
  isAdaptive: true,
  velocityWindowMs: 100,
};

/** Feeds so many events per millisecond for a while. */
function feed(
  target: BatchTarget,
  perMs: number,
  fromMs: number,
  forMs: number,
  total = 0,
): number {
  let sum = total;
  for (let at = fromMs; at < fromMs + forMs; at++) {
    target.note(at, sum);
    sum += perMs;
  }
  return sum;
}

Deno.test("batches start small and grow towards five milliseconds of what comes", () => {
  const target = new BatchTarget(CONFIG);
  assert.equal(target.size, 1_000);
  feed(target, 600, 0, 2_000);
  // 600,000 a second make 3,000 in five milliseconds.
  assert.ok(Math.abs(target.size - 3_000) <= 2, String(target.size));
  assert.ok(Math.abs(target.velocity - 600_000) < 1);
});

Deno.test("one step goes a quarter of the way", () => {
  const target = new BatchTarget(CONFIG);
  target.note(0, 0);
  target.note(11, 11_000);
  // Wanted 5,000: (3 * 1,000 + 5,000) / 4.
  assert.equal(target.size, 2_000);
});

Deno.test("the size stays within its bounds and comes down again", () => {
  const target = new BatchTarget(CONFIG);
  const total = feed(target, 10_000, 0, 1_000);
  assert.ok(target.size >= 9_990 && target.size <= 10_000);
  feed(target, 0, 1_000, 2_000, total);
  assert.ok(target.size >= 1_000 && target.size <= 1_003, String(target.size));
});

Deno.test("what is not adaptive aims at the most", () => {
  const target = new BatchTarget({ ...CONFIG, isAdaptive: false });
  feed(target, 1, 0, 100);
  assert.equal(target.size, 10_000);
});
