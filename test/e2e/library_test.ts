/** The example programs of the README, `docs/library.md` and `docs/cortex.md`, run as they stand there. */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);
const CONFIG = new URL("deno.json", ROOT).pathname;
/** Where programs stand, and how they are marked there. */
const PAGES = [
  ["README.md", "ts library"],
  ["README.md", "ts fold"],
  ["docs/cortex.md", "ts"],
  ["docs/library.md", "ts"],
] as const;
const README_LINES_MAX = 40;
const FOLD_LINES_MAX = 30;

Deno.test("examples have the types they say", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const files: string[] = [];
    for (const [page, kind] of PAGES) {
      for (const program of await programsIn(page, kind)) {
        const file = `${folder}/example_${files.length}.ts`;
        files.push(file);
        await Deno.writeTextFile(file, placed(program));
      }
    }
    assert.equal(files.length, 7);
    // All at once: most of the time goes into the library, which they share.
    const { code, stderr } = await deno(["check", "--config", CONFIG, ...files], folder);
    assert.equal(code, 0, stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

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
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/example.ts`;
    await Deno.writeTextFile(file, placed(program));
    const words = ["run", "-A", "--no-check", "--config", CONFIG, file];
    const { code, stdout, stderr } = await deno(words, folder);
    assert.equal(code, 0, stderr);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["example.ts"]);
    return stdout.split("\n").filter((line) => line !== "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The program as it is anywhere else than at the root of the project. */
function placed(program: string): string {
  assert.match(program, /from "\.\/src\/mod\.ts"/);
  return program.replace("./src/mod.ts", new URL("src/mod.ts", ROOT).href);
}

async function deno(args: readonly string[], cwd: string) {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
