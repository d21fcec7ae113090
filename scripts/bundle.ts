/** Makes `build/net.js`: the whole program as one JavaScript file. */

import { readSource } from "./source.ts";

/** Where the bundle goes. */
export const BUNDLE = "build/net.js";

/** What stands in the program where the text of its workers goes. */
const WORKER_PLACE = '"@net-work-worker@"';
/** The same for where the build comes from. */
const BUILD_PLACE = '"@net-build@"';
const WORKER = "src/blob/work/worker_main.ts";

/** Bundles; returns the exit code. */
export async function bundle(): Promise<number> {
  await Deno.mkdir("build", { recursive: true });
  const worker = await bundleFile(WORKER);
  const program = await bundleFile("main.ts");
  if (worker === undefined || program === undefined) return 1;
  const { builtFrom, builtAt } = await readSource();
  const texts = [[WORKER_PLACE, worker], [BUILD_PLACE, `${builtFrom} ${builtAt}`]] as const;
  let text = program;
  for (const [place, value] of texts) {
    if (!text.includes(place)) {
      console.error(`bundle: the program has no place for ${place}`);
      return 1;
    }
    // By a function, because the text may hold what replacements mean something by.
    text = text.replace(place, () => JSON.stringify(value));
  }
  await Deno.writeTextFile(BUNDLE, text);
  const { size } = await Deno.stat(BUNDLE);
  console.log(`${BUNDLE}: ${(size / 1024).toFixed(0)} KiB, run it with: deno run -A ${BUNDLE}`);
  return 0;
}

async function bundleFile(file: string): Promise<string | undefined> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "deno", file],
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (code === 0) return new TextDecoder().decode(stdout);
  console.error(new TextDecoder().decode(stderr));
  return undefined;
}

if (import.meta.main) Deno.exit(await bundle());
