/**
 * Seeded whole networks: every stream delivers exactly what was sent or ends with a typed error on both
 * sides, and the network is whole again after quiet.
 *
 * `NET_SIM_SEEDS` sets how many seeds run, `NET_SIM_SEED` replays one of them and `NET_SIM_LOG=1`
 * prints what its nodes logged. `NET_SIM_NODES`, `NET_SIM_TURMOIL` and `NET_SIM_RELAYS` make it worse, as
 * `PlanOptions` say; a seed replays only with the same values.
 */

import assert from "node:assert/strict";
import { runScenario } from "./network_scenario.ts";
import { type PlanOptions, planScenario } from "./scenario_plan.ts";
import { describeReport, runSeeds } from "./seeds.ts";

const SEEDS_DEFAULT = 50;

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
  const seeds = seedsFromEnvironment();
  const writeLog = Deno.env.has("NET_SIM_LOG") ? console.log : undefined;
  const report = await runSeeds(seeds, { ...planFromEnvironment(), writeLog });
  console.log(describeReport(report));
  assert.ok(report.failures.length === 0, `\n${report.failures.join("\n")}`);
  assert.ok(report.streamsDone > seeds.length, "hardly any stream was sent: this tests nothing");
});

Deno.test("runScenario() does the same again for the same seed", async () => {
  const [first, second] = [await runScenario(planScenario(7)), await runScenario(planScenario(7))];
  assert.deepEqual(first, second);
});
