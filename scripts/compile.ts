/**
 * Makes `build/net`, the executable, from the bundle: so it holds the program and nothing of the
 * development's packages.
 *
 * `deno compile` puts the program behind a base runtime that it downloads. Where that cannot be
 * downloaded this says so and fails. With `--check` the ordinary CLI stands in for the base runtime:
 * the result does not run the program, but shows that the whole of it can be embedded.
 */

import { BUNDLE, bundle } from "./bundle.ts";

const OUTPUT = "build/net";

if (import.meta.main) Deno.exit(await compile(Deno.args.includes("--check")));

/** Compiles; returns the exit code. */
export async function compile(isCheck: boolean): Promise<number> {
  const bundled = await bundle();
  if (bundled !== 0) return bundled;
  const output = isCheck ? `${OUTPUT}.check` : OUTPUT;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--quiet",
      "--no-config",
      "--unstable-net",
      "-A",
      "--output",
      output,
      BUNDLE,
    ],
    env: isCheck ? { DENORT_BIN: Deno.execPath() } : {},
    stdout: "null",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stderr);
  if (code !== 0) {
    console.error(text);
    if (/denort|dl\.deno\.land|dns error|Failed to (download|fetch)/i.test(text)) {
      console.error(
        "compile: the base runtime (denort) could not be downloaded, so no executable was made.\n" +
          "next: run this where dl.deno.land can be reached, or set DENORT_BIN to a denort of this version",
      );
    }
    return code;
  }
  const { size } = await Deno.stat(output);
  if (isCheck) {
    await Deno.remove(output);
    console.log(`compile check: the program embeds (${(size / 1e6).toFixed(0)} MB)`);
  } else console.log(`${output}: ${(size / 1e6).toFixed(0)} MB`);
  return 0;
}
