import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatGroupTag,
  formatSubnetTag,
  parseGroupTag,
  parseSubnetTag,
  readMembership,
} from "../../../src/core/capability/mod.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

Deno.test("parseSubnetTag() and parseGroupTag() read what is written, in either case", () => {
  fc.assert(fc.property(bytes(16), bytes(32), (subnet, group) => {
    for (const tag of [formatSubnetTag(subnet), `subnet:${subnet.toHex().toUpperCase()}`]) {
      assert.deepEqual(parseSubnetTag(tag), subnet);
    }
    for (const tag of [formatGroupTag(group), `group:${group.toHex().toUpperCase()}`]) {
      assert.deepEqual(parseGroupTag(tag), group);
    }
    assert.match(formatSubnetTag(subnet), /^subnet:[0-9a-f]{32}$/);
    assert.match(formatGroupTag(group), /^group:[0-9a-f]{64}$/);
  }));
});

Deno.test("parseSubnetTag() and parseGroupTag() ignore other lengths and other digits", () => {
  const hex = "0a".repeat(16);
  for (
    const tag of ["", "subnet:", `subnet:${hex}0`, `subnet:${hex.slice(2)}`, `Subnet:${hex}`, hex]
  ) assert.equal(parseSubnetTag(tag), undefined, tag);
  assert.equal(parseSubnetTag(`subnet:${"0g".repeat(16)}`), undefined);
  assert.equal(parseGroupTag(`group:${hex}`), undefined);
  assert.equal(parseGroupTag(`subnet:${hex}${hex}`), undefined);
});

Deno.test("readMembership() takes one subnet, however often it is there, and none of several", () => {
  const one = "0a".repeat(16);
  assert.deepEqual(readMembership([`subnet:${one}`, "x", `subnet:${one.toUpperCase()}`]), {
    subnet: Uint8Array.fromHex(one),
    groups: [],
    isSubnetCollapsed: false,
  });
  const several = readMembership([`subnet:${one}`, `subnet:${"0b".repeat(16)}`, `subnet:${one}`]);
  assert.equal(several.subnet, undefined);
  assert.equal(several.isSubnetCollapsed, true);
  assert.deepEqual(readMembership([`subnet:${one}`, "subnet:zz"]).isSubnetCollapsed, false);
  assert.deepEqual(readMembership([]), { subnet: undefined, groups: [], isSubnetCollapsed: false });
});

Deno.test("readMembership() sorts groups by bytes, each once", () => {
  fc.assert(fc.property(fc.array(bytes(32), { maxLength: 8 }), (groups) => {
    const tags = [...groups, ...groups].map(formatGroupTag);
    const expected = [...new Set(groups.map((group) => group.toHex()))].sort();
    assert.deepEqual(readMembership(tags).groups.map((group) => group.toHex()), expected);
  }));
});

Deno.test("formatSubnetTag() and formatGroupTag() refuse other lengths", () => {
  assert.throws(() => formatSubnetTag(new Uint8Array(32)), RangeError);
  assert.throws(() => formatGroupTag(new Uint8Array(16)), RangeError);
});
