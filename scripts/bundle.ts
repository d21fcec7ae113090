/** Makes `build/net.js`: the whole program as one JavaScript file. */

/** Where the bundle goes. */
export const BUNDLE = "build/net.js";

if (import.meta.main) Deno.exit(await bundle());

/** Bundles; returns the exit code. */
export async function bundle(): Promise<number> {
  await Deno.mkdir("build", { recursive: true });
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "deno", "--output", BUNDLE, "main.ts"],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code !== 0) {
    console.error(new TextDecoder().decode(stderr));
    return code;
  }
  const { size } = await Deno.stat(BUNDLE);
  console.log(`${BUNDLE}: ${(size / 1024).toFixed(0)} KiB, run it with: deno run -A ${BUNDLE}`);
  return 0;
}
