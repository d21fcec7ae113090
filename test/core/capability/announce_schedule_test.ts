import assert from "node:assert/strict";
import { TokenBucket } from "../../../src/base/mod.ts";
import {
  AnnounceSchedule,
  ORIGIN_BURST,
  ORIGIN_PER_SECOND,
} from "../../../src/core/capability/mod.ts";

Deno.test("AnnounceSchedule is silent until there is something to say", () => {
  const schedule = new AnnounceSchedule();
  assert.equal(schedule.dueAt, undefined);
  assert.equal(schedule.take(1e9), false);
  assert.equal(schedule.ttlSeconds, 300);
});

Deno.test("AnnounceSchedule collects changes and keeps the gap", () => {
  const schedule = new AnnounceSchedule({ burst: 1 });
  schedule.change(1000);
  schedule.change(1090);
  assert.equal(schedule.dueAt, 1100);
  assert.equal(schedule.take(1099), false);
  assert.equal(schedule.take(1100), true);
  schedule.change(1150);
  assert.equal(schedule.dueAt, 11_100);
  assert.equal(schedule.take(11_099), false);
  assert.equal(schedule.take(11_100), true);
  assert.equal(schedule.dueAt, 161_100);
});

Deno.test("AnnounceSchedule repeats, unless told not to", () => {
  const schedule = new AnnounceSchedule({ gapMs: 50, repeatMs: 400, debounceMs: 0 });
  schedule.change(0);
  assert.equal(schedule.take(0), true);
  assert.equal(schedule.take(399), false);
  assert.equal(schedule.take(400), true);
  assert.equal(schedule.ttlSeconds, 1);
  const once = new AnnounceSchedule({ repeatMs: 0 });
  once.change(0);
  assert.equal(once.take(100), true);
  assert.equal(once.dueAt, undefined);
  // Nothing comes again that could renew it.
  assert.equal(once.ttlSeconds, 86_400);
});

Deno.test("AnnounceSchedule keeps no gap to a broadcast that nobody heard", () => {
  const schedule = new AnnounceSchedule({ gapMs: 1_000, burst: 1, debounceMs: 10 });
  schedule.change(0);
  assert.equal(schedule.take(10, false), true);
  schedule.change(20);
  assert.equal(schedule.take(30), true);
  schedule.change(40);
  assert.equal(schedule.dueAt, 1_030);
});

Deno.test("AnnounceSchedule sends a few changes at once after a quiet time, then one per gap", () => {
  const schedule = new AnnounceSchedule();
  const sentAt: number[] = [];
  const churn = (fromMs: number, toMs: number) => {
    for (let now = fromMs; now < toMs; now += 100) {
      schedule.change(now);
      if (schedule.take(now)) sentAt.push(now);
    }
  };
  churn(0, 45_000);
  assert.deepEqual(sentAt, [100, 300, 500, 700, 900, 1_100, 10_100, 20_100, 30_100, 40_100]);
  // A quiet time gives back what was used up, and no more.
  assert.equal(schedule.take(45_000), false);
  assert.equal(schedule.take(50_100), true);
  sentAt.length = 0;
  churn(1_000_000, 1_010_000);
  assert.equal(sentAt.length, 6);
});

Deno.test("AnnounceSchedule stays within what receivers take, restarts included", () => {
  const accepted = new TokenBucket({ perSecond: ORIGIN_PER_SECOND, burst: ORIGIN_BURST }, 0);
  for (let start = 0; start < 120_000; start += 30_000) {
    const schedule = new AnnounceSchedule();
    for (let now = start; now < start + 30_000; now += 50) {
      schedule.change(now);
      if (schedule.take(now)) assert.equal(accepted.take(1, now), true, `at ${now}`);
    }
  }
});

Deno.test("AnnounceSchedule keeps the gap between repetitions", () => {
  const schedule = new AnnounceSchedule({ repeatMs: 1_000 });
  schedule.change(0);
  assert.equal(schedule.take(100), true);
  assert.equal(schedule.dueAt, 10_100);
});
