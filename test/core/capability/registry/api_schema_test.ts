import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ApiSchema,
  checkApiValue,
  requireApiSchema,
} from "../../../../src/core/capability/mod.ts";

const USER: ApiSchema = {
  kind: "object",
  members: {
    name: { kind: "string", lengthMax: 10 },
    age: { kind: "integer", min: 0, max: 150 },
    role: { kind: "enum", words: ["admin", "guest"] },
    scores: { kind: "array", items: { kind: "number" }, lengthMax: 3 },
    contact: { kind: "one_of", options: [{ kind: "null" }, { kind: "string" }] },
    more: { kind: "object", members: {}, isOpen: true },
    any: { kind: "any" },
    flag: { kind: "boolean" },
  },
  required: ["name"],
};

const pathsOf = (value: unknown) => checkApiValue(USER, value).map(({ path }) => path);

Deno.test("checkApiValue() says where a value does not fit", () => {
  assert.deepEqual(pathsOf({ name: "a", age: 3, role: "admin", scores: [1.5], contact: null }), []);
  assert.deepEqual(pathsOf({ name: "a", more: { x: 1 }, any: [], flag: false, contact: "c" }), []);
  assert.deepEqual(pathsOf(null), [""]);
  assert.deepEqual(pathsOf({}), [".name"]);
  assert.deepEqual(pathsOf({ name: "a", age: 1.5 }), [".age"]);
  assert.deepEqual(pathsOf({ name: "a", age: 151 }), [".age"]);
  assert.deepEqual(pathsOf({ name: "long enough", role: "root", flag: 1 }), [
    ".name",
    ".role",
    ".flag",
  ]);
  assert.deepEqual(pathsOf({ name: "a", scores: [1, "x"], contact: 3 }), [
    ".scores[1]",
    ".contact",
  ]);
  assert.deepEqual(pathsOf({ name: "a", scores: [1, 2, 3, 4] }), [".scores"]);
  assert.deepEqual(pathsOf({ name: "a", unknown: 1 }), [".unknown"]);
  assert.deepEqual(pathsOf(JSON.parse('{"name":"a","__proto__":1,"constructor":2}')), [
    ".__proto__",
    ".constructor",
  ]);
  const many = checkApiValue({ kind: "array", items: { kind: "null" } }, Array(100).fill(1));
  assert.equal(many.length, 16);
});

Deno.test("checkApiValue() takes any value", () => {
  fc.assert(fc.property(fc.anything(), (value) => void checkApiValue(USER, value)));
});

Deno.test("requireApiSchema() refuses what nests too deep or is too large", () => {
  const nested = (depth: number): ApiSchema =>
    depth === 1 ? { kind: "any" } : { kind: "array", items: nested(depth - 1) };
  requireApiSchema(nested(128));
  assert.throws(() => requireApiSchema(nested(129)), RangeError);
  const wide: ApiSchema = { kind: "one_of", options: Array(4_096).fill({ kind: "null" }) };
  assert.throws(() => requireApiSchema(wide), RangeError);
  let doubling: ApiSchema = { kind: "null" };
  for (let i = 0; i < 60; i++) doubling = { kind: "one_of", options: [doubling, doubling] };
  assert.throws(() => requireApiSchema(doubling), RangeError);
  requireApiSchema(USER);
});
