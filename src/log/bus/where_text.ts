/**
 * The syntax people write `--where` in (`base/where_tree.ts`), on the fields of an event's JSON:
 * `level=error && (n>3 || tags.0=x) && !done`.
 *
 * A path may stand alone, and asks whether it leads anywhere. Values are texts unless they look like a number,
 * `true`, `false` or `null`; quotes make a text of anything. Numbers are compared by value here, so that `n=1`
 * finds `1.0` too. A text that begins with `{` is taken for the JSON form.
 */
import { NetError, parseWhereTree, whereError, type WhereNode } from "../../base/mod.ts";
import { BusError } from "./error.ts";
import { parseFilter } from "./filter.ts";
import { JsonNumberText, wholeNumberOf } from "./json.ts";
import { FILTER_CLAUSES_MAX, FILTER_DEPTH_MAX, FILTER_TEXT_MAX } from "./limits.ts";
import type { BusFilter } from "./types.ts";

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const WORDS = new Map<string, boolean | null>([["true", true], ["false", false], ["null", null]]);
const LIMITS = {
  textMax: FILTER_TEXT_MAX,
  // Each level makes two of a filter: one of && and one of ||.
  depthMax: FILTER_DEPTH_MAX / 2,
  clausesMax: FILTER_CLAUSES_MAX,
};

/**
 * Reads a condition over an event.
 *
 * @throws BusError `filter` that says what is at which column and what had to be there.
 *
 * @example
 * ```ts
 * import { compileFilter } from "./filter.ts";
 * import { parseWhere } from "./where_text.ts";
 * const isWanted = compileFilter(parseWhere("level=error && n>3"));
 * console.assert(isWanted(new TextEncoder().encode('{"level":"error","n":4}')));
 * ```
 */
export function parseWhere(text: string): BusFilter {
  if (text.trimStart().startsWith("{")) return parseFilter(text);
  try {
    return toFilter(text, parseWhereTree(text, LIMITS));
  } catch (error) {
    if (!(error instanceof NetError) || error instanceof BusError) throw error;
    throw new BusError("filter", error.message, {
      cause: error,
      next: "write for example 'level=error && n>3'",
      data: error.data,
    });
  }
}

type Value = string | boolean | null | JsonNumberText;
type WhereTest = Extract<WhereNode, { readonly kind: "test" }>;

function toFilter(text: string, node: WhereNode): BusFilter {
  switch (node.kind) {
    case "and":
    case "or":
      return { kind: node.kind, filters: node.nodes.map((part) => toFilter(text, part)) };
    case "not":
      return { kind: "not", filter: toFilter(text, node.node) };
    case "exists":
      return { kind: "exists", path: node.path };
    case "test":
      return testFilter(text, node);
  }
}

function testFilter(text: string, test: WhereTest): BusFilter {
  const { path, operator } = test;
  if (operator === "*=") return { kind: "compare", path, operator, value: test.value };
  const value = test.isQuoted ? test.value : valueOf(test.value);
  if (operator === "==") return equal(path, value);
  if (operator === "!=") return { kind: "not", filter: equal(path, value) };
  if (value instanceof JsonNumberText) {
    return { kind: "compare", path, operator, value: Number(value.number) };
  }
  if (typeof value === "string") return { kind: "compare", path, operator, value };
  throw whereError(text, test.valueAt, "a number or a text behind the comparison");
}

function equal(path: string, value: Value): BusFilter {
  if (!(value instanceof JsonNumberText)) return { kind: "eq", path, value };
  const number = Number(value.number);
  // What a double does not hold exactly is compared as it is written.
  const isExact = wholeNumberOf(value.number) === undefined || Number.isSafeInteger(number);
  return isExact
    ? { kind: "compare", path, operator: "==", value: number }
    : { kind: "eq", path, value };
}

function valueOf(text: string): Value {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  return NUMBER.test(text) && Number.isFinite(Number(text)) ? new JsonNumberText(text) : text;
}
