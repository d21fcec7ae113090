import assert from "node:assert/strict";
import fc from "fast-check";
import { createCapabilitySet, equalTags, parseTag } from "../../../../src/core/capability/mod.ts";
import {
  createEqualsTest,
  createKeyTest,
  createTagTest,
  createValueTest,
} from "../../../../src/core/capability/tags/tag_lookup.ts";

const anyKey = fc.string({
  unit: fc.constantFrom("a", "b", ".", "=", ":", "/", "\ud7ff", "\ue000", "\u{1d11e}"),
  maxLength: 3,
});
const anyTag = fc.oneof(
  anyKey.map((key) => `devices.${key}`),
  fc.tuple(anyKey, fc.constantFrom("=", ":"), anyKey)
    .map(([key, separator, value]) => `devices.${key}${separator}${value}`),
  anyKey.map((key) => `x${key}`),
);

Deno.test("createKeyTest() and the other tests find what reading finds", () => {
  const anyTags = fc.oneof(
    fc.array(anyTag, { maxLength: 12 }),
    fc.array(anyTag, { minLength: 90 }),
  );
  fc.assert(
    fc.property(anyTags, anyKey, anyKey, (list, key, value) => {
      const { tags } = createCapabilitySet(list);
      const read = tags.map(parseTag).filter((tag) =>
        (tag?.kind === "present" || tag?.kind === "value") && tag.axis === "devices" &&
        tag.key === key
      );
      const values = read.flatMap((tag) => tag?.kind === "value" ? [tag.value] : []);
      const tagKey = { axis: "devices", key } as const;
      assert.equal(createKeyTest(tagKey)(tags), read.length > 0);
      assert.equal(createEqualsTest(tagKey, value)(tags), values.includes(value));
      const asked: string[] = [];
      assert.equal(createValueTest(tagKey, (text) => asked.push(text) === 0)(tags), false);
      assert.deepEqual(asked.sort(), values.sort());
      assert.equal(createValueTest(tagKey, () => true)(tags), values.length > 0);
      for (const text of [`devices.${key}=${value}`, `devices.${key}:${value}`, `x${key}`, key]) {
        assert.equal(createTagTest(text)(tags), tags.some((tag) => equalTags(tag, text)), text);
      }
    }),
    { numRuns: 500 },
  );
});
