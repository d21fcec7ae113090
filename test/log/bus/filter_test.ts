import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  BusError,
  type BusFilter,
  compileFilter,
  formatFilter,
  parseFilter,
  parseWhere,
} from "../../../src/log/mod.ts";

const isFilterError = (error: unknown) => error instanceof BusError && error.kind === "filter";
const passes = (filter: BusFilter, event: string) => compileFilter(filter)(utf8(event));

Deno.test("a filter with none of the forms is refused", () => {
  const refused = ["{}", "[]", "5", "nope", '{"$gt":1}', '{"$and":1}', '{"path":1,"value":2}'];
  for (const text of [...refused, '{"path":"x"}', '{"$not":{}}', '{"$and":[{}]}']) {
    assert.throws(() => parseFilter(text), isFilterError, text);
  }
});

Deno.test("a key whose value has not its form counts as an extra one", () => {
  const filter = parseFilter('{"$and":1,"$not":null,"path":"a","value":1}');
  assert.deepEqual(filter.kind, "eq");
  assert.equal(passes(filter, '{"a":1}'), true);
});

Deno.test("what is no JSON passes nothing, not even a negation", () => {
  const not = parseFilter('{"$not":{"path":"a","value":1}}');
  assert.equal(passes(not, "5"), true);
  assert.equal(passes(not, "not json"), false);
  assert.equal(passes(not, ""), false);
});

Deno.test("paths go through members and items, and end where there are none", () => {
  const eq = (path: string, value: number) => parseFilter(JSON.stringify({ path, value }));
  assert.equal(passes(eq("a.1.b", 2), '{"a":[0,{"b":2}]}'), true);
  assert.equal(passes(eq("a.+1.b", 2), '{"a":[0,{"b":2}]}'), true);
  assert.equal(passes(eq("a.-1", 2), '{"a":[2]}'), false);
  assert.equal(passes(eq("a.99999999999999999999", 2), '{"a":[2]}'), false);
  assert.equal(passes(eq("a..b", 2), '{"a":{"":{"b":2}}}'), true);
  assert.equal(passes(eq("length", 2), '"ab"'), false);
  assert.equal(passes(eq("__proto__.a", 2), "{}"), false);
});

Deno.test("filters that are too deep, too long or too many are refused", () => {
  const deep = '{"$not":'.repeat(60) + '{"path":"a","value":1}' + "}".repeat(60);
  assert.throws(() => compileFilter(parseFilter(deep)), isFilterError);
  assert.throws(() => parseFilter(" ".repeat(70_000)), isFilterError);
  const many = JSON.stringify({ $or: Array(2_000).fill({ path: "a", value: 1 }) });
  assert.throws(() => compileFilter(parseFilter(many)), isFilterError);
  const long = JSON.stringify({ path: ".".repeat(500), value: 1 });
  assert.throws(() => compileFilter(parseFilter(long)), isFilterError);
});

Deno.test("conditions are written as people would", () => {
  const event =
    '{"level":"error","n":4,"f":1.0,"ok":true,"x":null,"tags":["a","b c"],"big":9007199254740993}';
  const yes = [
    "level=error",
    "level==error && n>3",
    "n>=4 && n<=4 && !(n<4)",
    "n=4 && n=4.0 && f=1",
    'n>5 || tags.1="b c"',
    "ok=true && x=null && level!=info",
    "missing!=1 && !missing && level",
    "level*=rro",
    "level>=e",
    "big=9007199254740993",
    '"level"=error',
    '{"path":"n","value":4}',
  ];
  for (const text of yes) assert.equal(passes(parseWhere(text), event), true, text);
  const no = [
    "level=info",
    "n>4",
    'n="4"',
    "level>5",
    "!level",
    "x",
    "big=9007199254740992",
    'ok="true"',
  ];
  for (const text of no) {
    // A member that is null is there.
    assert.equal(passes(parseWhere(text), event), text === "x", text);
  }
});

Deno.test("a condition that cannot be read says where", () => {
  for (const text of ["", "level=", "a && ", "(a", "a)", "a b", '"a', "n>true", "a = = b"]) {
    assert.throws(
      () => parseWhere(text),
      (error) => isFilterError(error) && /column/.test(String(error)),
      text,
    );
  }
  assert.throws(() => parseWhere("!".repeat(1_000) + "a"), isFilterError);
});

Deno.test("only the reference's forms have JSON", () => {
  assert.equal(
    formatFilter(parseFilter('{"$eq":{"path":"a","value":1.0}}')),
    '{"path":"a","value":1.0}',
  );
  assert.throws(() => formatFilter(parseWhere("a>1")), isFilterError);
});
