import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import {
  formatTag,
  parseUserTag,
  RESERVED_TAG_PREFIXES,
  TOOL_TAG_PREFIX,
} from "../../../../src/core/capability/mod.ts";

const isUsage = (error: unknown) =>
  error instanceof NetError && error.code === "usage" && error.next !== undefined;

Deno.test("parseUserTag() refuses what the mesh keeps for itself and says what to do", () => {
  for (const prefix of [...RESERVED_TAG_PREFIXES, TOOL_TAG_PREFIX]) {
    assert.throws(() => parseUserTag(prefix), isUsage);
    assert.throws(() => parseUserTag(`${prefix}x`), isUsage);
  }
  for (const text of ["", "\ud834", "hardware.a=\udd1e"]) {
    assert.throws(() => parseUserTag(text), isUsage);
  }
});

Deno.test("parseUserTag() takes every other text", () => {
  const text = fc.string({ unit: "binary", minLength: 1 });
  const isFree = (value: string) =>
    ![...RESERVED_TAG_PREFIXES, TOOL_TAG_PREFIX].some((prefix) => value.startsWith(prefix));
  fc.assert(fc.property(text.filter(isFree), (value) => {
    assert.equal(formatTag(parseUserTag(value)), value);
  }));
  assert.equal(parseUserTag("dataforts.blob.storage").kind, "present");
  assert.equal(parseUserTag("nrpc:echo").kind, "legacy");
});
