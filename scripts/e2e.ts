/**
 * Runs the end-to-end tests: over the program `NET_BIN` names, or over the source and then the bundle.
 *
 * `NET_BIN` is a command line, split at spaces.
 */

import { bundle } from "./bundle.ts";

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  if (Deno.env.has("NET_BIN")) return await run(undefined);
  const bundled = await bundle();
  if (bundled !== 0) return bundled;
  for (const program of ["main.ts", "build/net.js"]) {
    console.log(`end-to-end tests over ${program}`);
    const code = await run(`${Deno.execPath()} run -A ${Deno.cwd()}/${program}`);
    if (code !== 0) return code;
  }
  return 0;
}

async function run(program: string | undefined): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", ...Deno.args, "test/e2e"],
    env: program === undefined ? {} : { NET_BIN: program },
  }).spawn().status;
  return code;
}
