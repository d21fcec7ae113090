import assert from "node:assert/strict";
import fc from "fast-check";
import {
  PINGWAVE_EVENT_GAP_MS,
  PINGWAVE_SECOND_ROUND_MS,
} from "../../../../src/core/transport/limits.ts";
import { PingwaveSchedule } from "../../../../src/core/transport/routing/pingwave_schedule.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";

function create() {
  const clock = new ManualClock();
  const start = clock.now();
  const emissions: number[] = [];
  const schedule = new PingwaveSchedule(clock, () => emissions.push(clock.now() - start));
  return { clock, emissions, schedule };
}

Deno.test("trigger() emits at once and a second time", async () => {
  const { clock, emissions, schedule } = create();
  schedule.trigger();
  await clock.advance(PINGWAVE_SECOND_ROUND_MS - 1);
  assert.deepEqual(emissions, [0]);
  await clock.advance(1_000);
  assert.deepEqual(emissions, [0, PINGWAVE_SECOND_ROUND_MS]);
});

Deno.test("later triggers collapse into one at the end of the gap", async () => {
  const { clock, emissions, schedule } = create();
  for (let at = 0; at < PINGWAVE_EVENT_GAP_MS; at += 10) {
    schedule.trigger();
    await clock.advance(10);
  }
  await clock.advance(1_000);
  const second = PINGWAVE_SECOND_ROUND_MS;
  assert.deepEqual(emissions, [0, second, PINGWAVE_EVENT_GAP_MS, PINGWAVE_EVENT_GAP_MS + second]);
});

Deno.test("no trigger is lost and none comes too often", async () => {
  const waits = fc.array(fc.nat(600), { minLength: 1, maxLength: 25 });
  await fc.assert(fc.asyncProperty(waits, async (list) => {
    const { clock, emissions, schedule } = create();
    let now = 0;
    let last = 0;
    for (const waitMs of list) {
      await clock.advance(waitMs);
      last = now += waitMs;
      schedule.trigger();
    }
    await clock.advance(1_000);
    const firstRounds = emissions.filter((at) => !emissions.includes(at - 50));
    for (const [i, at] of firstRounds.entries()) {
      assert.ok(i === 0 || at - (firstRounds[i - 1] ?? 0) >= PINGWAVE_EVENT_GAP_MS);
    }
    assert.ok(emissions.some((at) => at >= last && at <= last + PINGWAVE_EVENT_GAP_MS));
  }));
});

Deno.test("stop() cancels both rounds", async () => {
  const first = create();
  first.schedule.trigger();
  first.schedule.stop();
  await first.clock.advance(1_000);
  assert.deepEqual(first.emissions, []);
  const second = create();
  second.schedule.trigger();
  await second.clock.advance(10);
  second.schedule.stop();
  second.schedule.stop();
  await second.clock.advance(1_000);
  assert.deepEqual(second.emissions, [0]);
});
