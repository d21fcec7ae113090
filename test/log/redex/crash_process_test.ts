/**
 * Writers that are killed. `NET_KILL_SEEDS` and `NET_KILLS` set how many logs there are and how often the
 * writer of each is killed; `NET_KILL_SEED` runs one of them.
 */
import assert from "node:assert/strict";
import { addKillReport, emptyKillReport, runKills } from "./crash_process.ts";

const one = Deno.env.get("NET_KILL_SEED");
const FIRST = Number(one ?? 1);
const SEEDS = one === undefined ? Number(Deno.env.get("NET_KILL_SEEDS") ?? 3) : 1;
const KILLS = Number(Deno.env.get("NET_KILLS") ?? 4);

Deno.test("every event whose append returned is there after the writer was killed, in order", async () => {
  const total = emptyKillReport();
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    addKillReport(total, await runKills(seed, KILLS));
  }
  const { faults, ...report } = total;
  console.log(JSON.stringify(report));
  assert.deepEqual(faults, []);
  assert.equal(report.kills, SEEDS * KILLS);
});
