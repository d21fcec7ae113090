/** Lists of lent chunks: what is written is read again, and nothing else is believed. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatLentPath,
  formatLentPlace,
  parseLentList,
} from "../../../src/blob/lent/lent_list.ts";

Deno.test("parseLentList() gives what was written, up to the last whole line", () => {
  const place = fc.record({
    hash: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((hash) => Uint8Array.from(hash)),
    offset: fc.nat(2 ** 30),
    size: fc.integer({ min: 1, max: 16 * 1024 * 1024 }),
  }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.string(), fc.array(place), fc.nat(), (path, places, cut) => {
      const lines = [formatLentPath(path), ...places.map(formatLentPlace)];
      assert.deepEqual(parseLentList(lines.join("")), { paths: [path], places });
      const last = lines.at(-1) ?? "";
      const torn = lines.join("").slice(0, -1 - cut % (last.length - 1));
      assert.equal(parseLentList(torn).places.length, Math.max(0, places.length - 1));
    }),
    { numRuns: 50 },
  );
});

Deno.test("parseLentList() takes any text and reads only what is a line of its own", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const { paths, places } = parseLentList(`${text}\n`);
      assert.ok(paths.length <= 4 && places.length <= 8_192);
    }),
    { numRuns: 50 },
  );
  const hash = "ab".repeat(32);
  const text = `path 5\npath "\n${hash} -1 5\n${hash} 1 999999999\n${hash.toUpperCase()} 1 2\n`;
  assert.deepEqual(parseLentList(text), { paths: [], places: [] });
});
