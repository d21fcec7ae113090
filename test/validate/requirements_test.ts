/** The requirement table (`validation.md` 9, `promises-standards.md` 1.1): each row is a test that names it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const TESTS = fileURLToPath(new URL("../", import.meta.url));

/** V01 to V35, and what the design document promises beyond them. */
const ROWS = [
  ...Array.from({ length: 35 }, (_, i) => `V${String(i + 1).padStart(2, "0")}`),
  ...[..."abcdefghijklm"].map((letter) => `V-${letter}`),
];

/** How the name of a test or of a step begins: with the rows it shows. */
const NAME = /["`](V(?:\d\d|-[a-m])(?:, V(?:\d\d|-[a-m]))*): /g;

Deno.test("each row of the requirement table is a test that names it", async () => {
  const found = new Map<string, string[]>();
  for (const path of testFiles(TESTS)) {
    for (const [, rows = ""] of (await Deno.readTextFile(path)).matchAll(NAME)) {
      for (const row of rows.split(", ")) found.set(row, [...found.get(row) ?? [], path]);
    }
  }
  assert.deepEqual(ROWS.filter((row) => !found.has(row)), [], "rows without a test");
  assert.deepEqual(
    [...found.keys()].filter((row) => !ROWS.includes(row)),
    [],
    "rows there are not",
  );
});

function* testFiles(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) yield* testFiles(`${path}/`);
    else if (path.endsWith(".ts")) yield path;
  }
}
