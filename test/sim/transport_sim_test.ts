/**
 * Seeded whole networks: every stream delivers exactly what was sent or ends with a typed error, and
 * the network is whole again after quiet.
 *
 * `NET_SIM_SEEDS` sets how many seeds run, `NET_SIM_SEED` replays one of them and `NET_SIM_LOG=1`
 * prints what its nodes logged.
 */

import assert from "node:assert/strict";
import { describePlan, planScenario, runScenario } from "./network_scenario.ts";

const SEEDS_DEFAULT = 20;

/** Seeds whose failure is known, with the reason; they still run, and say when they pass again. */
const KNOWN_FAILURES: ReadonlyMap<number, string> = new Map();

function seedsFromEnvironment(): number[] {
  const one = Deno.env.get("NET_SIM_SEED");
  if (one !== undefined) return [Number(one)];
  const count = Number(Deno.env.get("NET_SIM_SEEDS") ?? SEEDS_DEFAULT);
  return Array.from({ length: count }, (_, i) => i + 1);
}

Deno.test("MeshTransport keeps its promises in seeded networks", async () => {
  const failures: string[] = [];
  let done = 0;
  let failed = 0;
  const seeds = seedsFromEnvironment();
  for (const seed of seeds) {
    const plan = planScenario(seed);
    const writeLog = Deno.env.has("NET_SIM_LOG") ? console.log : undefined;
    const report = await runScenario(plan, { writeLog });
    done += report.streamsDone;
    failed += report.streamsFailed;
    const reason = KNOWN_FAILURES.get(seed);
    if (reason !== undefined) {
      const verdict = report.faults.length === 0 ? "passes again" : "still fails";
      console.log(`seed ${seed} ${verdict}: ${reason}`);
    } else if (report.faults.length > 0) {
      const faults = report.faults.map((fault) => `  ${fault}`).join("\n");
      failures.push(`NET_SIM_SEED=${seed}: ${describePlan(plan)}\n${faults}`);
    }
  }
  console.log(`${seeds.length} networks: ${done} streams done, ${failed} ended with an error`);
  assert.ok(failures.length === 0, `\n${failures.join("\n")}`);
  assert.ok(done > seeds.length, "hardly any stream was sent: the scenario tests nothing");
});

Deno.test("runScenario() does the same again for the same seed", async () => {
  const plan = planScenario(7);
  const [first, second] = [await runScenario(plan), await runScenario(planScenario(7))];
  assert.deepEqual(first, second);
});
