import assert from "node:assert/strict";
import fc from "fast-check";
import { formatSubnetId, subnetLevel } from "../../../src/base/mod.ts";
import {
  createSubnetPolicy,
  subnetOfTags,
  type SubnetRule,
} from "../../../src/channel/subnet/mod.ts";

function rule(tagPrefix: string, level: number, values: Record<string, number>): SubnetRule {
  return { tagPrefix, level, values: new Map(Object.entries(values)) };
}

const POLICY = createSubnetPolicy([
  rule("region:", 0, { eu: 1, us: 2 }),
  rule("site:", 1, { lab: 2, roof: 3 }),
]);

Deno.test("subnetOfTags() fills levels by rule and leaves the others 0", () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[], "global"],
    [["region:eu"], "1"],
    [["site:roof", "region:us", "other"], "2.3"],
    [["site:lab"], "0.2"],
    [["region:mars", "site:lab"], "0.2"],
    [["region:", "Region:eu"], "global"],
  ];
  for (const [tags, expected] of cases) {
    assert.equal(formatSubnetId(subnetOfTags(POLICY, tags)), expected, tags.join());
  }
});

Deno.test("subnetOfTags() takes the first tag in byte order that has a number", () => {
  assert.equal(formatSubnetId(subnetOfTags(POLICY, ["region:us", "region:eu"])), "1");
  assert.equal(formatSubnetId(subnetOfTags(POLICY, ["region:us", "region:aa"])), "2");
  // UTF-8 order: U+FFEE comes before U+1D11E, whose first UTF-16 half is smaller.
  const policy = [rule("x", 0, { "\uffee": 7, "\u{1d11e}": 8 })];
  assert.equal(subnetLevel(subnetOfTags(policy, ["x\u{1d11e}", "x\uffee"]), 0), 7);
});

Deno.test("subnetOfTags() lets a later rule of a level replace an earlier one only when it matches", () => {
  const policy = [rule("a:", 0, { x: 1 }), rule("b:", 0, { y: 2 })];
  assert.equal(formatSubnetId(subnetOfTags(policy, ["a:x", "b:y"])), "2");
  assert.equal(formatSubnetId(subnetOfTags(policy, ["a:x", "b:z"])), "1");
});

Deno.test("subnetOfTags() does not depend on the order of tags", () => {
  const tag = fc.constantFrom("region:eu", "region:us", "site:lab", "site:roof", "other");
  fc.assert(fc.property(fc.array(tag), (tags) => {
    const expected = subnetOfTags(POLICY, tags);
    assert.equal(subnetOfTags(POLICY, tags.toReversed()), expected);
    assert.equal(subnetOfTags(POLICY, tags.toSorted()), expected);
  }));
});

Deno.test("createSubnetPolicy() refuses levels and numbers out of bounds, and too many rules", () => {
  for (const level of [-1, 4, 0.5]) {
    assert.throws(() => createSubnetPolicy([rule("a", level, {})]), RangeError);
  }
  for (const value of [0, 256, 1.5, NaN]) {
    assert.throws(() => createSubnetPolicy([rule("a", 0, { x: value })]), RangeError);
  }
  assert.throws(() => createSubnetPolicy(Array(65).fill(rule("a", 0, {}))), RangeError);
});
