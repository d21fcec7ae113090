/** The example programs of the README, `docs/library.md` and `docs/cortex.md`, run as they stand there. */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);
const README_LINES_MAX = 40;
const FOLD_LINES_MAX = 30;

Deno.test("README example of the library prints what it says", async () => {
  const [program = "", ...others] = await programsIn("README.md", "ts library");
  assert.deepEqual(others, []);
  assert.ok(program.split("\n").length - 1 <= README_LINES_MAX);
  assert.deepEqual(await run(program), [
    "answered: hello bob, this is alice",
    "heard: it rains, it stopped",
    "fetched: a letter",
    "found: true",
  ]);
});

Deno.test("README example of a fold prints what it says", async () => {
  const [program = "", ...others] = await programsIn("README.md", "ts fold");
  assert.deepEqual(others, []);
  assert.ok(program.split("\n").length - 1 <= FOLD_LINES_MAX);
  assert.deepEqual(await run(program), ["in stock: 42"]);
});

Deno.test("examples of docs/cortex.md run", async () => {
  const [declared = "", watched = "", ...others] = await programsIn("docs/cortex.md", "ts");
  assert.deepEqual(others, []);
  assert.deepEqual(await run(declared), ["30", "true"]);
  assert.deepEqual(await run(watched), ["0 open", "1 open"]);
});

Deno.test("examples of docs/library.md run, and end by themselves", async () => {
  const [first = "", declared = "", logged = "", ...others] = await programsIn(
    "docs/library.md",
    "ts",
  );
  assert.deepEqual(others, []);
  assert.deepEqual(await run(first), ["0"]);
  assert.deepEqual(await run(declared), ["42", "1", "2", "3"]);
  assert.deepEqual(await run(logged), ["0 hello", "1 world", "water the plants"]);
});

async function programsIn(page: string, kind: string): Promise<string[]> {
  const text = await Deno.readTextFile(new URL(page, ROOT));
  const blocks = text.matchAll(new RegExp(`^\`\`\`${kind}\n([\\s\\S]*?)^\`\`\`$`, "gm"));
  return [...blocks].map(([, program]) => program ?? "");
}

/** Runs a program in a folder of its own and gives the lines it prints. */
async function run(program: string): Promise<string[]> {
  assert.match(program, /from "\.\/src\/mod\.ts"/);
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/example.ts`;
    const library = new URL("src/mod.ts", ROOT).href;
    await Deno.writeTextFile(file, program.replace("./src/mod.ts", library));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--check", "--config", new URL("deno.json", ROOT).pathname, file],
      cwd: folder,
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    assert.equal(code, 0, text.decode(stderr));
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["example.ts"]);
    return text.decode(stdout).split("\n").filter((line) => line !== "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
