import assert from "node:assert/strict";
import { AnnounceSchedule } from "../../../src/core/capability/mod.ts";

Deno.test("AnnounceSchedule is silent until there is something to say", () => {
  const schedule = new AnnounceSchedule();
  assert.equal(schedule.dueAt, undefined);
  assert.equal(schedule.take(1e9), false);
  assert.equal(schedule.ttlSeconds, 300);
});

Deno.test("AnnounceSchedule collects changes and keeps the gap", () => {
  const schedule = new AnnounceSchedule();
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
  const schedule = new AnnounceSchedule({ gapMs: 1_000, debounceMs: 10 });
  schedule.change(0);
  assert.equal(schedule.take(10, false), true);
  schedule.change(20);
  assert.equal(schedule.take(30), true);
  schedule.change(40);
  assert.equal(schedule.dueAt, 1_030);
});
