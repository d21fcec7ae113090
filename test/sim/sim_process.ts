/**
 * Runs some of the seeds in a process of its own, so that all cores work: `sim_process.ts FIRST END
 * STRIDE`. The last line is the report as JSON.
 */

import { runSeeds } from "./seeds.ts";

function* range(first: number, end: number, stride: number): Generator<number> {
  for (let seed = first; seed < end; seed += stride) yield seed;
}

if (import.meta.main) {
  const [first = 1, end = 2, stride = 1] = Deno.args.map(Number);
  console.log(JSON.stringify(await runSeeds(range(first, end, stride))));
}
