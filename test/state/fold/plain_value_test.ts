import assert from "node:assert/strict";
import fc from "fast-check";
import { decodePlainValue, encodePlainValue, FoldDecodeError } from "../../../src/state/mod.ts";

/** Any plain value; field names that look like tags are likely. */
const name = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc.constantFrom("$map", "$$map", "$bigint", "$", "__proto__", "constructor"),
);
const { value: plainValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, undefined, true, false, NaN, Infinity, -Infinity, -0, 0),
    fc.double(),
    fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
    fc.bigInt(),
    fc.uint8Array({ maxLength: 8 }),
    fc.date({ noInvalidDate: false }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((e) => new Map(e)),
    fc.array(tie("value"), { maxLength: 3 }).map((items) => new Set(items)),
    fc.array(fc.tuple(name, tie("value")), { maxLength: 4 }).map((e) => Object.fromEntries(e)),
  ),
}));

Deno.test("decodePlainValue() gives back what encodePlainValue() was given", () => {
  fc.assert(fc.property(plainValue, (value) => {
    assert.deepEqual(decodePlainValue(encodePlainValue(value)), value);
  }));
});

Deno.test("encodePlainValue() refuses what it could not give back", () => {
  class Account {}
  for (const value of [new Account(), () => {}, Symbol("a"), [new WeakMap()], new Error("x")]) {
    assert.throws(() => encodePlainValue(value), TypeError);
  }
  const loop: unknown[] = [];
  loop.push(loop);
  assert.throws(() => encodePlainValue(loop), /inside of each other/);
});

Deno.test("decodePlainValue() refuses tags that are none", () => {
  const wrong = [
    "",
    "{",
    '{"$what":1}',
    '{"$map":[[1]]}',
    '{"$map":3}',
    '{"$set":{}}',
    '{"$bigint":"0x10"}',
    '{"$bigint":5}',
    '{"$number":"1"}',
    '{"$bytes":"?"}',
    '{"a":1,"$b":2}',
    "[".repeat(500) + "]".repeat(500),
  ];
  for (const text of wrong) {
    const bytes = new TextEncoder().encode(text);
    assert.throws(() => decodePlainValue(bytes), FoldDecodeError, text);
  }
  assert.throws(() => decodePlainValue(Uint8Array.of(0x22, 0xff, 0x22)), FoldDecodeError);
});

Deno.test("decodePlainValue() makes no prototype out of a field", () => {
  const value = decodePlainValue(new TextEncoder().encode('{"__proto__":{"a":1},"b":2}'));
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal((value as { a?: number }).a, undefined);
});
