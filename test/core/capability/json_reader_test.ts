import assert from "node:assert/strict";
import fc from "fast-check";
import { JsonReader } from "../../../src/core/capability/_json_reader.ts";

const U64_MAX = (1n << 64n) - 1n;

/** Reads one whole text; `undefined` when the reader failed. */
function read<T>(text: string, take: (reader: JsonReader) => T): T | undefined {
  const reader = new JsonReader(text);
  const value = take(reader);
  reader.end();
  return reader.hasFailed ? undefined : value;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

Deno.test("JsonReader.raw() takes what JSON.parse() takes and gives it back", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 5 }), (text) => {
    assert.equal(read(` ${text}\n`, (reader) => reader.raw()), text);
  }));
  const alphabet = fc.constantFrom(...'{}[]",:-+.eE019 \\utfnrlas\t\u0001');
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 12 }), (characters) => {
      const text = characters.join("");
      assert.equal(read(text, (reader) => reader.raw()) !== undefined, isJson(text), text);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("JsonReader.text() gives back what JSON.stringify() wrote", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.equal(read(JSON.stringify(text), (reader) => reader.text()), text);
  }));
});

Deno.test("JsonReader.text() refuses what is no Unicode text", () => {
  const wrong = ['"', '"a', "a", '"\n"', '"\\x"', '"\\ud834"', '"\\udd1e\\ud834"', '"\\', "'a'"];
  for (const text of wrong) assert.equal(read(text, (reader) => reader.text()), undefined, text);
  assert.equal(read('"\\ud834\\udd1e"', (reader) => reader.text()), "\u{1d11e}");
});

Deno.test("JsonReader.unsigned() is exact and bounded", () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: U64_MAX }), (value) => {
    assert.equal(read(`${value}`, (reader) => reader.unsigned(U64_MAX)), value);
  }));
  for (
    const text of ["", "-1", "-0", "1.0", "1e0", "01", "+1", `${U64_MAX + 1n}`, "9".repeat(60)]
  ) {
    assert.equal(read(text, (reader) => reader.unsigned(U64_MAX)), undefined, text);
  }
  assert.equal(read("255", (reader) => reader.small(255)), 255);
  assert.equal(read("256", (reader) => reader.small(255)), undefined);
  assert.equal(read("9".repeat(400), (reader) => reader.small(255)), undefined);
});

Deno.test("JsonReader.raw() refuses bottomless nesting", () => {
  assert.equal(read(`${"[".repeat(100)}${"]".repeat(100)}`, (reader) => reader.raw())?.length, 200);
  assert.equal(read("[".repeat(8000), (reader) => reader.raw()), undefined);
  assert.equal(read(`${"[".repeat(200)}${"]".repeat(200)}`, (reader) => reader.raw()), undefined);
});
