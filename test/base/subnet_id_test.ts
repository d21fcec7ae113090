import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatSubnetId,
  isSubnetAncestor,
  isSubnetSibling,
  parseSubnetId,
  setSubnetLevel,
  SUBNET_GLOBAL,
  subnetDepth,
  subnetLevel,
  subnetParent,
} from "../../src/base/subnet_id.ts";

/** Ids of few levels with few values, so that relations between two of them are found. */
const id = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 }).map((levels) =>
    levels.reduce((sum, level, index) => setSubnetLevel(sum, index, level), 0)
  ),
);

Deno.test("parseSubnetId() reads what formatSubnetId() writes, and nothing else", () => {
  fc.assert(fc.property(id, (one) => {
    assert.equal(parseSubnetId(formatSubnetId(one)), one);
  }));
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(..."0123.9g") }), (text) => {
    const one = parseSubnetId(text);
    if (one !== undefined) assert.equal(formatSubnetId(one), text);
  }));
});

Deno.test("parseSubnetId() puts the first level in the top byte", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["global", 0],
    ["3.7", 0x03070000],
    ["1.2.3.4", 0x01020304],
    ["255.255.255.255", 0xffff_ffff],
    ["1.0.2", 0x01000200],
    ["0.0.0.1", 1],
  ];
  for (const [text, expected] of cases) assert.equal(parseSubnetId(text), expected, text);
});

Deno.test("parseSubnetId() refuses texts that are no id, or not how one is written", () => {
  const texts = ["", "0", "1.0", "01", "256", "1.2.3.4.5", "1.", ".1", "Global", "1,2", " 1", "-1"];
  for (const text of texts) assert.equal(parseSubnetId(text), undefined, text);
});

Deno.test("subnetDepth() and subnetParent() count levels down to the last that is not 0", () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ["global", 0, "global"],
    ["3", 1, "global"],
    ["3.7", 2, "3"],
    ["3.0.7", 3, "3"],
    ["1.2.3.4", 4, "1.2.3"],
  ];
  for (const [text, depth, parent] of cases) {
    const one = parseSubnetId(text) ?? NaN;
    assert.equal(subnetDepth(one), depth, text);
    assert.equal(formatSubnetId(subnetParent(one)), parent, text);
  }
});

Deno.test("isSubnetAncestor() compares the levels of the ancestor alone", () => {
  fc.assert(fc.property(id, id, (one, other) => {
    const depth = subnetDepth(one);
    let isExpected = true;
    for (let level = 0; level < depth; level++) {
      if (subnetLevel(one, level) !== subnetLevel(other, level)) isExpected = false;
    }
    assert.equal(isSubnetAncestor(one, other), isExpected);
    assert.ok(isSubnetAncestor(one, one));
    assert.ok(isSubnetAncestor(SUBNET_GLOBAL, one));
    assert.ok(isSubnetAncestor(subnetParent(one), one));
    if (isSubnetAncestor(one, other) && isSubnetAncestor(other, one)) assert.equal(one, other);
  }));
});

Deno.test("isSubnetSibling() asks for one parent and depth, and two ids", () => {
  const at = (text: string) => parseSubnetId(text) ?? NaN;
  assert.ok(isSubnetSibling(at("1.2"), at("1.3")));
  assert.ok(isSubnetSibling(at("1"), at("2")));
  for (const [one, other] of [["1.2", "1.2"], ["1.2", "2.2"], ["1", "1.2"], ["global", "1"]]) {
    assert.ok(!isSubnetSibling(at(one ?? ""), at(other ?? "")), `${one} ${other}`);
  }
});
