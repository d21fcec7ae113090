/** The example program of the README, run as it stands there. */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);
const EXAMPLE = /```ts library\n([\s\S]*?)```/;
const LINES_MAX = 40;

Deno.test("README example of the library prints what it says", async () => {
  const [, program = ""] = EXAMPLE.exec(await Deno.readTextFile(new URL("README.md", ROOT))) ?? [];
  assert.ok(program.split("\n").length - 1 <= LINES_MAX);
  assert.match(program, /from "\.\/src\/mod\.ts"/);
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/example.ts`;
    const library = new URL("src/mod.ts", ROOT).href;
    await Deno.writeTextFile(file, program.replace("./src/mod.ts", library));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--check", "--config", new URL("deno.json", ROOT).pathname, file],
      cwd: folder,
      env: { NO_COLOR: "1", HOME: folder },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    assert.equal(code, 0, text.decode(stderr));
    assert.deepEqual(text.decode(stdout).split("\n"), [
      "answered: hello bob, this is alice",
      "heard: it rains, it stopped",
      "fetched: a letter",
      "found: true",
      "",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
