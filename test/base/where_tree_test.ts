import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError, parseWhereTree, type WhereNode } from "../../src/base/mod.ts";

const LIMITS = { textMax: 200, depthMax: 4, clausesMax: 6 };
const parse = (text: string) => parseWhereTree(text, LIMITS);

/** The tree with brackets around everything. */
function show(node: WhereNode): string {
  switch (node.kind) {
    case "and":
    case "or":
      return `(${node.nodes.map(show).join(node.kind === "and" ? " && " : " || ")})`;
    case "not":
      return `!${show(node.node)}`;
    case "exists":
      return node.path;
    case "test":
      return `${node.path}${node.operator}${
        node.isQuoted ? JSON.stringify(node.value) : node.value
      }`;
  }
}

Deno.test("parseWhereTree() reads fields, operators, values and how they are joined", () => {
  for (
    const [text, expected] of [
      ["level=error", "level==error"],
      ["title~fox", "title*=fox"],
      ["a==1&&b!=2", "(a==1 && b!=2)"],
      ["a>=1 && b<=2 || c>3 && d<4", "((a>=1 && b<=2) || (c>3 && d<4))"],
      ["a && (b || !c)", "(a && (b || !c))"],
      ["!!a", "!!a"],
      [`t="a b" || 'x y'*='"'`, `(t=="a b" || x y*="\\"")`],
      ["tags.0=x:y", "tags.0==x:y"],
      [" a  =  b ", "a==b"],
      ["created>=2026-11-28T09:00:00Z", "created>=2026-11-28T09:00:00Z"],
    ] as const
  ) assert.equal(show(parse(text)), expected, text);
});

Deno.test("parseWhereTree() says at which column what is wrong", () => {
  for (
    const [text, column, expected] of [
      ["", 1, "a path"],
      ["a=", 3, "a value"],
      ["a~=b", 3, "a value"],
      ["a>>1", 3, "a value"],
      ["a=<b", 3, "a value"],
      ["a===b", 4, "a value"],
      ["a b", 3, "&&, ||"],
      ["(a", 3, "&&, || or )"],
      ['a="b', 3, "double quotes"],
      ['a="\\x"', 3, "double quotes"],
      ["a='b", 3, "single quotes"],
      ["(((((a)))))", 5, "at most 4 levels"],
      ["a&&a&&a&&a&&a&&a&&a", 19, "at most 6 fields"],
    ] as const
  ) {
    assert.throws(() => parse(text), (error) => {
      assert.ok(error instanceof NetError && error.code === "usage");
      assert.match(error.message, new RegExp(`column ${column} is`), text);
      assert.ok(error.message.includes(expected), `${text}: ${error.message}`);
      return true;
    });
  }
  assert.throws(() => parse("a".repeat(201)), /length is 201/);
});

Deno.test("parseWhereTree() ends with a tree or a usage error, whatever the text", () => {
  const word = fc.constantFrom(
    "a",
    "=",
    "==",
    "~",
    "!",
    "(",
    ")",
    "&&",
    "||",
    '"',
    "'",
    " ",
    "\\",
    "é",
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 20 }), (words) => {
    try {
      parse(words.join(""));
    } catch (error) {
      assert.ok(error instanceof NetError && error.code === "usage");
    }
  }));
});
