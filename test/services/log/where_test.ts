import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../src/base/mod.ts";
import { holds, jsonAt, parseWhere } from "../../../src/services/mod.ts";

const ROW = {
  id: 7n,
  status: "pending",
  title: "Buy Milk",
  tags: ["home", "shop"],
  pinned: false,
  total: 12.5,
  created: new Date("2026-03-01T10:00:00Z"),
  user: { name: "ada", roles: [{ kind: "admin" }] },
  none: null,
};

const matches = (text: string) =>
  holds(
    parseWhere(text),
    (path) => Object.hasOwn(ROW, path) ? Reflect.get(ROW, path) : jsonAt(ROW, path),
  );

Deno.test("parseWhere() reads comparisons that holds() answers", () => {
  for (
    const text of [
      "status==pending",
      "status=pending",
      "status!=done",
      'title=="Buy Milk"',
      "title=='Buy Milk'",
      "title~milk",
      "tags~home",
      "id==7",
      "id>=7 && id<8",
      "total>12 && total<=12.5",
      "created>=2026-03-01",
      "created<2026-03-02 && created>'2026-02-28T00:00:00Z'",
      "user.name==ada",
      "user.roles.0.kind==admin",
      "user",
      "!pinned",
      "none==null",
      "missing!=1",
      "!(status==done || pinned)",
      "status==done || title~buy && tags~shop",
      '.~"x" || status~PEND',
    ]
  ) assert.equal(matches(text), true, text);
  for (
    const text of [
      "status==done",
      "pinned",
      "none",
      "missing",
      "missing==null",
      "missing<1",
      "id>7",
      "title~bread",
      "tags~hom",
      "status<1",
      "total==pending",
      "created<2026-03-01",
      "created==nonsense",
      "status==pending && pinned",
    ]
  ) assert.equal(matches(text), false, text);
});

Deno.test("parseWhere() says what is wrong and where", () => {
  for (
    const [text, reason] of [
      ["", /a path is missing, at character 1/],
      ["a==", /a value is missing, at character 4/],
      ["a==1 b==2", /"b" is one too many, at character 6/],
      ["(a==1", /a \) is missing/],
      ["&& a", /a path is missing, at character 1/],
      ['a=="x', /""" is not understood, at character 4/],
      ['a=="\\x"', /is no JSON text/],
      ["a | b", /"\|" is not understood/],
    ] as const
  ) {
    assert.throws(
      () => parseWhere(text),
      (error) => isUsage(error) && reason.test(error.message),
      text,
    );
  }
  assert.throws(() => parseWhere(`${"(".repeat(1_000)}a`), isUsage);
  assert.throws(() => parseWhere("a".repeat(100_000)), isUsage);
});

Deno.test("parseWhere() ends with a condition or a usage error for any text", () => {
  const piece = fc.oneof(
    fc.constantFrom("a", "==", "!", "(", ")", "&&", "||", "~", "1", '"x"', " ", "'", "null", "<="),
    fc.string({ maxLength: 3 }),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
    try {
      assert.equal(typeof holds(parseWhere(pieces.join("")), () => 1), "boolean");
    } catch (error) {
      assert.ok(isUsage(error), String(error));
    }
  }));
});

Deno.test("jsonAt() reaches nothing that an object inherits", () => {
  for (const path of ["constructor", "__proto__", "a.toString", "a.length"]) {
    assert.equal(jsonAt({ a: "text" }, path), undefined);
  }
  assert.deepEqual(jsonAt({ a: [1, [2]] }, "a.1.0"), 2);
  assert.deepEqual(jsonAt([1], "."), [1]);
});

function isUsage(error: unknown): error is NetError {
  return error instanceof NetError && error.code === "usage";
}
