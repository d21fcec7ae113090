/**
 * Seeded crashes of a log on a disk that tears, drops and reorders what was not synced.
 *
 * `NET_CRASH_SEEDS` sets how many seeds run; `NET_CRASH_SEED` replays one of them.
 */
import assert from "node:assert/strict";
import { runCrashSeeds } from "./crash_run.ts";

const SEEDS_DEFAULT = 300;

function seedsFromEnvironment(): number[] {
  const one = Deno.env.get("NET_CRASH_SEED");
  if (one !== undefined) return [Number(one)];
  const count = Number(Deno.env.get("NET_CRASH_SEEDS") ?? SEEDS_DEFAULT);
  return Array.from({ length: count }, (_, at) => at + 1);
}

Deno.test("what was acknowledged is there after any crash, in order, and nothing that was never written", async () => {
  const seeds = seedsFromEnvironment();
  const { faults, ...report } = await runCrashSeeds(seeds);
  console.log(`${seeds.length} seeds: ${JSON.stringify(report)}`);
  assert.deepEqual(faults, []);
});
