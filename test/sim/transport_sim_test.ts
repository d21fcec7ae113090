/**
 * Seeded whole networks: every stream delivers exactly what was sent or ends with a typed error, and
 * the network is whole again after quiet.
 *
 * `NET_SIM_SEEDS` sets how many seeds run, `NET_SIM_SEED` replays one of them and `NET_SIM_LOG=1`
 * prints what its nodes logged. `NET_SIM_NODES`, `NET_SIM_TURMOIL` and `NET_SIM_RELAYS` make it worse, as
 * `PlanOptions` say; a seed replays only with the same values.
 */

import assert from "node:assert/strict";
import { describePlan, type PlanOptions, planScenario, runScenario } from "./network_scenario.ts";

const SEEDS_DEFAULT = 20;

function numberFromEnvironment(name: string): number | undefined {
  const text = Deno.env.get(name);
  return text === undefined ? undefined : Number(text);
}

function planFromEnvironment(): PlanOptions {
  return {
    nodesMax: numberFromEnvironment("NET_SIM_NODES"),
    turmoil: numberFromEnvironment("NET_SIM_TURMOIL"),
    relayShare: numberFromEnvironment("NET_SIM_RELAYS"),
  };
}

function seedsFromEnvironment(): number[] {
  const one = numberFromEnvironment("NET_SIM_SEED");
  if (one !== undefined) return [one];
  const count = numberFromEnvironment("NET_SIM_SEEDS") ?? SEEDS_DEFAULT;
  return Array.from({ length: count }, (_, i) => i + 1);
}

Deno.test("MeshTransport keeps its promises in seeded networks", async () => {
  const failures: string[] = [];
  let done = 0;
  let failed = 0;
  const seeds = seedsFromEnvironment();
  const options = planFromEnvironment();
  for (const seed of seeds) {
    const plan = planScenario(seed, options);
    const writeLog = Deno.env.has("NET_SIM_LOG") ? console.log : undefined;
    const report = await runScenario(plan, { writeLog });
    done += report.streamsDone;
    failed += report.streamsFailed;
    if (report.faults.length > 0) {
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
