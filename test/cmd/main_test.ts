/** The program as a process: only what a run in memory cannot show. */
import assert from "node:assert/strict";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

function command(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
  });
}

Deno.test("main.ts turns arguments into output and an exit code", async () => {
  const text = new TextDecoder();
  const version = await command(["--version"]).output();
  assert.equal(version.code, 0);
  assert.match(text.decode(version.stdout), /^net \d+\.\d+\.\d+\n$/);
  const misuse = await command(["nod"]).output();
  assert.equal(misuse.code, 2);
  assert.equal(text.decode(misuse.stdout), "");
  assert.match(text.decode(misuse.stderr), /^net: Cannot find verb "nod"/);
});

Deno.test("main.ts ends quietly when nobody reads its output", async () => {
  const process = new Deno.Command("sh", {
    args: ["-c", `"$0" "$@" | true`, Deno.execPath(), "run", "-A", MAIN, "help"],
    env: { NO_COLOR: "1" },
  });
  const { stderr, code } = await process.output();
  assert.equal(code, 0);
  assert.equal(new TextDecoder().decode(stderr), "");
});
