import { deepStrictEqual, equal, throws } from "node:assert/strict";
import * as v from "valibot";
import { NetError } from "../../src/base/mod.ts";
import { type CallContext, defineMethod, MethodTable } from "../../src/control/mod.ts";

const context: CallContext = {
  transport: "unix",
  signal: new AbortController().signal,
  progress: () => {},
  send: () => Promise.resolve(),
};

function method(name: string) {
  return defineMethod({
    name,
    access: "privileged",
    summary: "Adds one",
    isReadOnly: true,
    params: v.object({ n: v.number(), inner: v.optional(v.object({ key: v.string() })) }),
    handle: ({ n }) => n + 1,
  });
}

Deno.test("defineMethod() checks parameters and says what is wrong without their values", () => {
  equal(method("a.b").call({ n: 1 }, context), 2);
  throws(
    () => method("a.b").call({ n: "hunter2", inner: { key: null } }, context),
    (error: unknown) =>
      error instanceof NetError && error.code === "usage" && !error.message.includes("hunter2") &&
      error.message.includes('"n" is of type string, must be number') &&
      error.message.includes('"inner.key" is null'),
  );
  throws(() => method("a.b").call({}, context), /"n" is missing/);
  const bounded = defineMethod({
    name: "a.c",
    access: "privileged",
    summary: "Has bounds",
    isReadOnly: true,
    params: v.object({
      name: v.pipe(v.string(), v.minLength(1)),
      kind: v.picklist(["round", "square"]),
      size: v.pipe(v.number(), v.maxValue(9)),
    }),
    handle: () => 0,
  });
  throws(
    () => bounded.call({ name: "", kind: "oval", size: 10 }, context),
    /"name" is 0 long, must be at least 1 long; "kind" is of type string, must be one of round, square; "size" is of type number, must be at most 9$/,
  );
});

Deno.test("defineMethod() refuses names that are reserved or not dotted lower case", () => {
  for (const name of ["rpc.x", "plain", "A.b", "a.", ".b", "a..b", "a b.c", ""]) {
    throws(() => method(name), TypeError, name);
  }
});

Deno.test("MethodTable finds by name and alias, lists sorted, refuses taken names", () => {
  const table = new MethodTable();
  table.register(method("b.b"), method("a.a"));
  table.alias("c.c", "b.b");
  equal(table.lookup("c.c"), table.lookup("b.b"));
  equal(table.lookup("constructor"), undefined);
  deepStrictEqual(table.list().map(({ name }) => name), ["a.a", "b.b"]);
  throws(() => table.register(method("c.c")), TypeError);
  throws(() => table.alias("d.d", "x.x"), TypeError);
});
