import assert from "node:assert/strict";
import fc from "fast-check";
import { createCapabilitySet, parseTag } from "../../../../src/core/capability/mod.ts";
import { readProperties, readTagsBehind } from "../../../../src/core/capability/tags/axis_tags.ts";

const piece = fc.constantFrom(
  "hardware",
  "software",
  ".",
  "gpu",
  "=",
  ":",
  "a",
  "\uffee",
  "\u{1d11e}",
);
const tags = fc.array(
  fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("")),
);

Deno.test("readTagsBehind() finds what a look at every tag finds", () => {
  fc.assert(
    fc.property(tags, fc.constantFrom("hardware.", "software.gpu", "a", "."), (texts, prefix) => {
      const set = createCapabilitySet(texts);
      const found: string[] = [];
      readTagsBehind(set.tags, prefix, (tail) => found.push(prefix + tail));
      assert.deepEqual(found, set.tags.filter((tag) => tag.startsWith(prefix)));
    }),
  );
});

Deno.test("readProperties() takes tags apart as parseTag() does", () => {
  fc.assert(fc.property(tags, (texts) => {
    const set = createCapabilitySet(texts);
    const found: unknown[] = [];
    readProperties(set.tags, "hardware.", (key, value) => found.push([key, value]));
    const expected = set.tags.map(parseTag).flatMap((tag) => {
      if (tag?.kind !== "present" && tag?.kind !== "value") return [];
      if (tag.axis !== "hardware") return [];
      return [[tag.key, tag.kind === "value" ? tag.value : undefined]];
    });
    assert.deepEqual(found, expected);
  }));
});
