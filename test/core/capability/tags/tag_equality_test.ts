import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createCapabilitySet,
  createTagTest,
  equalTags,
  formatTag,
  hasTag,
  meaningOfTag,
  parseTag,
} from "../../../../src/core/capability/mod.ts";

const piece = fc.constantFrom("hardware", "devices", ".", "gpu", "=", ":", "scope", "nat", "é");
const tag = fc.array(piece, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));

/** The slow way: read, change the separator, write. */
function reference(text: string): string {
  const read = parseTag(text);
  assert.ok(read !== undefined);
  return formatTag(read.kind === "value" ? { ...read, separator: "=" } : read);
}

Deno.test("meaningOfTag() differs only in the separator of structured tags", () => {
  fc.assert(fc.property(tag, (text) => assert.equal(meaningOfTag(text), reference(text))));
});

Deno.test("equalTags() ignores the separator of structured tags and nothing else", () => {
  assert.ok(equalTags("hardware.a:1", "hardware.a=1"));
  assert.ok(equalTags("hardware.a:b=c", "hardware.a=b=c"));
  assert.ok(!equalTags("hardware.a=b:c", "hardware.a=b=c"));
  assert.ok(!equalTags("nat:open", "nat=open"));
  assert.ok(!equalTags("scope:a", "scope=a"));
  assert.ok(!equalTags("hardware.a", "hardware.a="));
});

Deno.test("hasTag() and createTagTest() find a tag by its meaning", () => {
  const set = createCapabilitySet(["software.os:linux", "software.arch=x64", "nat:open"]);
  for (const text of ["software.os=linux", "software.os:linux", "software.arch:x64", "nat:open"]) {
    assert.ok(hasTag(set, text) && createTagTest(text)(set), text);
  }
  for (const text of ["software.os", "software.os=Linux", "nat=open", ""]) {
    assert.ok(!hasTag(set, text) && !createTagTest(text)(set), text);
  }
});
