import assert from "node:assert/strict";
import { UpgradeSchedule } from "../../../../src/core/transport/nat/upgrade_schedule.ts";

/** Milliseconds until the peer is due. */
function pauseOf(schedule: UpgradeSchedule, peer: bigint, now: number): number {
  let waited = 0;
  while (!schedule.isDue(peer, now + waited)) waited += 100;
  return waited;
}

Deno.test("UpgradeSchedule doubles its pauses from 2 s to 64 s", () => {
  const schedule = new UpgradeSchedule(() => 0);
  const pauses = [pauseOf(schedule, 7n, 0)];
  for (let i = 0; i < 7; i++) {
    schedule.onFailed(7n, 0);
    pauses.push(pauseOf(schedule, 7n, 0));
  }
  assert.deepEqual(pauses, [2, 4, 8, 16, 32, 64, 64, 64].map((seconds) => seconds * 1_000));
});

Deno.test("UpgradeSchedule adds up to a quarter at random", () => {
  const schedule = new UpgradeSchedule(() => 0.99);
  const pause = pauseOf(schedule, 7n, 0);
  assert.ok(pause > 2_400 && pause <= 2_500, `${pause}`);
});

Deno.test("UpgradeSchedule looks at a busy peer again soon, and forgets those that left their relay", () => {
  const schedule = new UpgradeSchedule(() => 0);
  schedule.isDue(7n, 0);
  schedule.isDue(8n, 0);
  schedule.onFailed(7n, 0);
  schedule.onDeferred(7n, 10_000);
  assert.equal(pauseOf(schedule, 7n, 10_000), 2_000);
  schedule.keep(new Set([7n]));
  assert.equal(schedule.size, 1);
});

Deno.test("UpgradeSchedule looks after a bounded number of peers", () => {
  const schedule = new UpgradeSchedule(() => 0);
  for (let peer = 0n; peer < 2_000n; peer++) schedule.isDue(peer, 0);
  assert.equal(schedule.size, 1_024);
  assert.equal(schedule.isDue(1_999n, 1e9), false);
});
