import assert from "node:assert/strict";
import { isFolder, readVectorFile, vectorFolder } from "./folder.ts";
import { runVectors } from "./run.ts";
import { listCases, type VectorSuite } from "./suite.ts";
import { SUITES } from "./suites/mod.ts";
import { integerOf, objectOf, parseVectors } from "./vector_reader.ts";

const folder = vectorFolder();
const isHere = isFolder(folder);

for (const [file, suite] of Object.entries(SUITES)) {
  Deno.test(`vectors of ${file} hold`, async (t) => {
    const text = isHere ? readVectorFile(folder, file) : undefined;
    if (text === undefined) {
      console.log(`skipped: there is no ${file} in "${folder}", set NET_VECTORS`);
      return;
    }
    for (const { label, run } of listCases(suite, text)) {
      await t.step(label, async () => await run());
    }
  });
}

const EVEN: VectorSuite = () => ({
  vectors: (vector) => assert.equal(integerOf(vector, "n") % 2n, 0n, "is odd"),
});

async function run(files: Readonly<Record<string, string>>, suites = { "a/even.json": EVEN }) {
  const temporary = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${temporary}/a`);
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${temporary}/${name}`, text);
    }
    const lines: string[] = [];
    return { ...await runVectors(temporary, suites, (line) => lines.push(line)), lines };
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

Deno.test("runVectors() counts cases and names the index of failures", async () => {
  const text = '{"vectors": [{"n": 2}, {"n": 3, "name": "three"}, {"n": "4"}]}';
  const { passed, failed, lines } = await run({ "a/even.json": text, "a/other.json": "?" });
  assert.deepEqual([passed, failed], [2, 1]);
  assert.equal(lines[0], "a/even.json: 3 cases");
  assert.match(lines[1] ?? "", /FAILED vectors\[1\] three: is odd/);
  assert.equal(lines.at(-1), "2 passed, 1 failed");
});

Deno.test("runVectors() takes files without cases and skips missing ones", async () => {
  const empty = await run({ "a/even.json": '{"vectors": []}' });
  assert.deepEqual(empty.lines, ["a/even.json: 0 cases", "0 passed, 0 failed"]);
  const missing = await run({});
  assert.deepEqual(missing.lines, [
    "a/even.json: skipped, not in the folder",
    "0 passed, 0 failed",
  ]);
});

Deno.test("runVectors() fails for a known file that cannot be read", async () => {
  for (const text of ["{", '{"cases": []}', '{"vectors": {}}', "[]"]) {
    const { failed } = await run({ "a/even.json": text });
    assert.equal(failed, 1, text);
  }
  const { failed } = await run({ "a/even.json": '{"vectors": [1, {"n": 2.5}, {}]}' });
  assert.equal(failed, 3);
});

Deno.test("parseVectors() keeps integers beyond 2^53 exact", () => {
  const text = '{"a": 18446744073709551615, "b": 9007199254740993, "c": -7, "d": 1.5, "e": "12"}';
  const vector = objectOf(parseVectors(text), "document");
  assert.equal(integerOf(vector, "a"), (1n << 64n) - 1n);
  assert.equal(integerOf(vector, "b"), 9007199254740993n);
  assert.equal(integerOf(vector, "c"), -7n);
  assert.equal(integerOf(vector, "e"), 12n);
  assert.throws(() => integerOf(vector, "d"), TypeError);
});
