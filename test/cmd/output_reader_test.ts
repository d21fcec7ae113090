import assert from "node:assert/strict";

const MODULE = new URL("../../cmd/output_reader.ts", import.meta.url).href;

/** A program that says on standard error whether its output has a reader, before and after it left. */
const PROGRAM = `
  import { createGoneCheck } from "${MODULE}";
  const isGone = createGoneCheck();
  console.error(isGone());
  console.log("line");
  await Deno.stdin.read(new Uint8Array(1));
  console.error(isGone());
`;

Deno.test({
  name: "createGoneCheck() tells when the reader of a pipe has left",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", PROGRAM],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    await child.stdin.close();
    const stderr = await new Response(child.stderr).text();
    await child.status;
    assert.deepEqual(stderr.trim().split("\n"), ["false", "true"]);
  },
});
