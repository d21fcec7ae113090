import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { isSameValue } from "../../../src/state/mod.ts";

const anyValue = fc.anything({
  withBigInt: true,
  withMap: false,
  withSet: false,
  withDate: true,
  withNullPrototype: true,
  withTypedArray: true,
  maxDepth: 3,
});

Deno.test("isSameValue() finds a copy the same", () => {
  fc.assert(fc.property(fc.clone(anyValue, 2), ([a, b]) => {
    assert.equal(isSameValue(a, b), true);
  }));
});

Deno.test("isSameValue() never calls two values the same that the platform tells apart", () => {
  fc.assert(fc.property(anyValue, anyValue, (a, b) => {
    if (isSameValue(a, b)) assert.ok(isDeepStrictEqual(a, b));
  }));
});

Deno.test("isSameValue() looks into lists, maps, sets, bytes and fields", () => {
  const rows = [{ id: 1n, tags: ["a"] }];
  assert.ok(isSameValue(rows, [{ id: 1n, tags: ["a"] }]));
  assert.ok(!isSameValue(rows, [{ id: 1n, tags: ["b"] }]));
  assert.ok(!isSameValue({ a: undefined }, { b: undefined }));
  assert.ok(!isSameValue(new Map([["a", 1]]), new Map([["b", 1]])));
  assert.ok(isSameValue(new Set([1, 2]), new Set([2, 1])));
  assert.ok(!isSameValue(new Set([1]), new Set([1, 2])));
  assert.ok(!isSameValue(Uint8Array.of(1), Uint8Array.of(2)));
  assert.ok(!isSameValue([], {}));
  assert.ok(!isSameValue(null, {}));
});

Deno.test("isSameValue() ends on values that contain themselves", () => {
  const a: unknown[] = [];
  const b: unknown[] = [];
  a.push(a);
  b.push(b);
  assert.equal(isSameValue(a, b), false);
});
