/** Makes `build/net.js`: the whole program as one JavaScript file. */

/** Where the bundle goes. */
export const BUNDLE = "build/net.js";

/** What stands in the program where the text of its workers goes. */
const WORKER_PLACE = '"@net-work-worker@"';
const WORKER = "src/blob/work/worker_main.ts";

/** Bundles; returns the exit code. */
export async function bundle(): Promise<number> {
  await Deno.mkdir("build", { recursive: true });
  const worker = await bundleFile(WORKER);
  const program = await bundleFile("main.ts");
  if (worker === undefined || program === undefined) return 1;
  if (!program.includes(WORKER_PLACE)) {
    console.error(`bundle: there is no place for the text of workers: ${WORKER_PLACE}`);
    return 1;
  }
  // By a function, because the text may hold what replacements mean something by.
  await Deno.writeTextFile(BUNDLE, program.replace(WORKER_PLACE, () => JSON.stringify(worker)));
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
