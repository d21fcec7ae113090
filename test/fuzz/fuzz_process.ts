/**
 * Fuzzes one decoder in a process of its own: `fuzz_process.ts NAME SEED COUNT`. The last line is the
 * report as JSON; a broken promise ends it with an error that says how to replay.
 */

import { runFuzz } from "./fuzz.ts";
import { FUZZ_TARGETS } from "./targets.ts";

if (import.meta.main) {
  const [name = "", seed, count] = Deno.args;
  const create = FUZZ_TARGETS[name];
  if (create === undefined) throw new TypeError(`Cannot fuzz "${name}": there is no such decoder`);
  const options = { name, seed: Number(seed), count: Number(count) };
  console.log(JSON.stringify(await runFuzz(create, options)));
}
