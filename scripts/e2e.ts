/**
 * Runs the end-to-end tests: over the program `NET_BIN` names, or over the source and the bundle. Arguments are the
 * files to run, or flags of `deno test`.
 *
 * `NET_BIN` is a command line, split at spaces.
 */

import { bundle } from "./bundle.ts";
import { runShards, type Shard, testFiles } from "./shards.ts";

/** What runs the library alone: the program makes no difference there. */
const WITHOUT_PROGRAM = ["test/e2e/fold_kill_test.ts", "test/e2e/library_test.ts"];

const FLAGS = ["-A", "--quiet", "--no-check"];

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  const flags = Deno.args.filter((word) => word.startsWith("-"));
  const named = Deno.args.filter((word) => !word.startsWith("-"));
  const files = named.length > 0 ? named : await testFiles("test/e2e");
  const programs = new Map<string, Record<string, string>>();
  if (Deno.env.has("NET_BIN")) programs.set(Deno.env.get("NET_BIN") ?? "", {});
  else {
    const bundled = await bundle();
    if (bundled !== 0) return bundled;
    for (const program of ["main.ts", "build/net.js"]) {
      programs.set(program, { NET_BIN: `${Deno.execPath()} run -A ${Deno.cwd()}/${program}` });
    }
  }
  // All files over one program, then the next: two of the same at once would be slow at the same moment.
  const [first] = programs.keys();
  const mayRun = (file: string, program: string) =>
    program === first || !WITHOUT_PROGRAM.includes(file);
  const shards: Shard[] = [...programs].flatMap(([program, env]) =>
    files.filter((file) => mayRun(file, program)).map((file) => ({
      name: `${file} over ${program}`,
      args: [...FLAGS, ...flags, file],
      env,
    }))
  );
  return await runShards(shards);
}
