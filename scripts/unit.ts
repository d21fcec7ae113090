/** Runs the unit and property tests: a process per folder of `test`, large ones folder by folder inside. */

import { runShards, type Shard, testFiles } from "./shards.ts";

/** Folders whose tests need other processes; each has a task of its own. */
const OTHERS = ["test/e2e", "test/interop"];

/** Files of one process; starting one takes as long as the tests of a few files. */
const FILES_MAX = 40;

/** Takes longest, so that it must not come last; its files are short. */
const FIRST = "test/fuzz";

/** Types are checked once before, not by each process again. */
const FLAGS = ["-A", "--quiet", "--no-check", "--sanitize-ops", "--sanitize-resources"];

if (import.meta.main) Deno.exit(await runShards(await unitShards()));

/** The shards, longest first. */
async function unitShards(): Promise<Shard[]> {
  const files = await testFiles("test");
  const groups = new Map<string, string[]>();
  for (const file of files) {
    if (OTHERS.some((folder) => file.startsWith(`${folder}/`))) continue;
    const [, area = "", part = ""] = file.split("/");
    const isLarge = files.filter((other) => other.startsWith(`test/${area}/`)).length > FILES_MAX;
    const key = isLarge && !part.endsWith(".ts") ? `test/${area}/${part}` : `test/${area}`;
    groups.set(key, [...groups.get(key) ?? [], file]);
  }
  const shards = [...groups].map(([name, args]) => ({ name, args: [...FLAGS, ...args] }));
  return shards.sort((a, b) => Number(b.name === FIRST) - Number(a.name === FIRST));
}
