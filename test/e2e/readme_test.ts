/** The tour of the README, run as it stands there. */
import assert from "node:assert/strict";
import { makeWorkspace } from "./harness.ts";
import { programWords, runtimeEnv } from "./program.ts";

const README = new URL("../../README.md", import.meta.url);
const TOUR = /```sh tour\n([\s\S]*?)```/g;

Deno.test("README tour works as written", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const blocks = [...(await Deno.readTextFile(README)).matchAll(TOUR)].map((match) => match[1]);
  assert.ok(blocks.length >= 4, "the README has a tour");
  // Nodes of a tour that failed half-way must not outlive it.
  workspace.defer(async () => {
    for (const family of [[], ["alice"], ["bob"], ["carol"]]) {
      await home.net(["node", "stop", ...family.map((name) => `--family=${name}`)]);
    }
  });
  const words = programWords().map((word) => `'${word}'`).join(" ");
  const script = `set -euo pipefail\nnet() { ${words} "$@"; }\n${blocks.join("\n")}`;
  const output = await new Deno.Command("bash", {
    args: ["-c", script],
    cwd: `${home.dir}/cwd`,
    clearEnv: true,
    env: { ...runtimeEnv(), ...home.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  const [stdout, stderr] = [decoder.decode(output.stdout), decoder.decode(output.stderr)];
  assert.equal(output.code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /Result: COMPLIANT/);
  assert.match(stdout, /connected/);
  assert.match(stdout, /"missing":\["draining"\]/);
  assert.deepEqual([...Deno.readDirSync(`${home.dir}/cwd`)], []);
});
