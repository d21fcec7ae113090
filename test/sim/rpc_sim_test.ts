/**
 * Seeded unary calls under loss, delay, duplication and reordering, with cancels, silences and servers that stop.
 *
 * `NET_SIM_SEEDS` sets how many seeds run; `NET_SIM_SEED` replays one of them.
 */
import assert from "node:assert/strict";
import { runStreams } from "./rpc_stream_run.ts";
import { planRpcRun, runRpcPlan } from "./rpc_run.ts";

const SEEDS_DEFAULT = 25;

function seedsFromEnvironment(): number[] {
  const one = Deno.env.get("NET_SIM_SEED");
  if (one !== undefined) return [Number(one)];
  const count = Number(Deno.env.get("NET_SIM_SEEDS") ?? SEEDS_DEFAULT);
  return Array.from({ length: count }, (_, at) => at + 1);
}

Deno.test("every unary call ends once within its deadline, and no handler runs twice", async () => {
  const seeds = seedsFromEnvironment();
  const failed: Record<string, number> = {};
  const faults: string[] = [];
  let answered = 0;
  let handlersRun = 0;
  for (const seed of seeds) {
    const report = await runRpcPlan(planRpcRun(seed));
    answered += report.answered;
    handlersRun += report.handlersRun;
    for (const [kind, times] of Object.entries(report.failed)) {
      failed[kind] = (failed[kind] ?? 0) + times;
    }
    faults.push(...report.faults.map((fault) => `NET_SIM_SEED=${seed}: ${fault}`));
  }
  console.log(
    `${seeds.length} networks: ${answered} calls answered, ${handlersRun} handlers run, ` +
      `failed: ${JSON.stringify(failed)}`,
  );
  assert.deepEqual(faults, []);
  assert.ok(answered > seeds.length * 5, "hardly any call was answered: this tests nothing");
});

Deno.test("runRpcPlan() does the same again for the same seed", async () => {
  const [first, second] = [await runRpcPlan(planRpcRun(3)), await runRpcPlan(planRpcRun(3))];
  assert.deepEqual(first, second);
});

Deno.test("streams of all shapes come whole and in order, or end with a typed error", async () => {
  const seeds = seedsFromEnvironment();
  const failed: Record<string, number> = {};
  const faults: string[] = [];
  let whole = 0;
  for (const seed of seeds) {
    const report = await runStreams(seed);
    whole += report.whole;
    for (const [kind, times] of Object.entries(report.failed)) {
      failed[kind] = (failed[kind] ?? 0) + times;
    }
    faults.push(...report.faults.map((fault) => `NET_SIM_SEED=${seed}: ${fault}`));
  }
  console.log(
    `${seeds.length} networks: ${whole} streams whole, failed: ${JSON.stringify(failed)}`,
  );
  assert.deepEqual(faults, []);
  assert.ok(whole > seeds.length * 4, "hardly any stream was whole: this tests nothing");
});
