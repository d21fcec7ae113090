import assert from "node:assert/strict";
import fc from "fast-check";
import { equalJson, readJson, toFilterValue, writeJson } from "../../../src/log/mod.ts";

const same = (left: string, right: string): boolean => {
  const [a, b] = [readJson(left), readJson(right)];
  assert.ok(a !== undefined && b !== undefined, `${left} ${right}`);
  return equalJson(a, b);
};

Deno.test("whole numbers and floats are different values", () => {
  assert.equal(same("1", "1.0"), false);
  assert.equal(same("1.0", "1e0"), true);
  assert.equal(same("0", "-0"), false);
  assert.equal(same("-0", "0.0"), true);
  assert.equal(same("9007199254740993", "9007199254740992"), false);
  assert.equal(same("18446744073709551615", "18446744073709551615"), true);
  // Beyond 64 bits a whole number is a float.
  assert.equal(same("18446744073709551616", "18446744073709551616.0"), true);
  assert.equal(same("-9223372036854775808", "-9223372036854775808.0"), false);
});

Deno.test("order of members does not count, of items it does, and the last of a name does", () => {
  assert.equal(same('{"a":1,"b":[1,2]}', '{"b":[1,2],"a":1}'), true);
  assert.equal(same("[1,2]", "[2,1]"), false);
  assert.equal(same('{"a":1,"a":2}', '{"a":2}'), true);
  assert.equal(same('{"a":1}', '{"a":1,"b":null}'), false);
  assert.equal(same('"\\u0061"', '"a"'), true);
});

Deno.test("names that mean something to the language are names like others", () => {
  assert.equal(same('{"__proto__":1}', '{"__proto__":1}'), true);
  assert.equal(same('{"__proto__":1}', "{}"), false);
  assert.equal(same('{"constructor":{}}', '{"toString":{}}'), false);
});

Deno.test("what the reference takes for no JSON is none", () => {
  const refused = [
    "",
    " ",
    "01",
    "1.",
    ".5",
    "+1",
    "1e999",
    '"\\ud800"',
    '"\t"',
    "[1,]",
    "{,}",
    "nul",
  ];
  for (const text of [...refused, '{"a":1,}', "{'a':1}", "1 2", "[1", '"a', "\ufeff1", "NaN"]) {
    assert.equal(readJson(text), undefined, text);
  }
  assert.equal(readJson(new Uint8Array([0x22, 0xff, 0x22])), undefined);
  assert.equal(readJson("[".repeat(128) + "]".repeat(128)), undefined);
  assert.notEqual(readJson("[".repeat(127) + "]".repeat(127)), undefined);
  assert.equal(readJson("[".repeat(100_000)), undefined);
});

Deno.test("any JSON reads as what it is, and writes as what was read", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const text = JSON.stringify(value);
    const read = readJson(text);
    assert.ok(read !== undefined);
    assert.deepEqual(JSON.parse(writeJson(read)), JSON.parse(text));
    assert.ok(equalJson(read, toFilterValue(value) ?? null));
  }));
});
