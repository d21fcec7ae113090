/**
 * Nodes that are killed while they work on blobs. `NET_KILL_SEEDS` and `NET_KILLS` set how many data folders there are
 * and how often the program on each is killed; `NET_KILL_SEED` runs one of them.
 */
import assert from "node:assert/strict";
import { addBlobKillReport, emptyBlobKillReport, runBlobKills } from "./blob_crash_process.ts";

const one = Deno.env.get("NET_KILL_SEED");
const FIRST = Number(one ?? 1);
const SEEDS = one === undefined ? Number(Deno.env.get("NET_KILL_SEEDS") ?? 4) : 1;
const KILLS = Number(Deno.env.get("NET_KILLS") ?? 4);

Deno.test("every blob that was acknowledged is whole after kills, and none is seen in part", async () => {
  const total = emptyBlobKillReport();
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    addBlobKillReport(total, await runBlobKills(seed, KILLS));
  }
  const { faults, ...report } = total;
  console.log(JSON.stringify(report));
  assert.deepEqual(faults, []);
  assert.equal(report.kills, SEEDS * KILLS);
});
