/** Text conditions over rows: what a filter can do quickly becomes a part of it, the rest looks at each row. */
import {
  NetError,
  parseWhereTree,
  whereError,
  type WhereNode,
  type WhereOperator,
} from "../../../base/mod.ts";
import { NetDbError } from "../error.ts";
import { WHERE_CLAUSES_MAX, WHERE_DEPTH_MAX, WHERE_TEXT_MAX } from "../limits.ts";
import type { FieldKind, WhereValue } from "./field.ts";

/** A field that conditions may name. */
export interface WhereField<Row, Filter> {
  readonly kind: FieldKind;
  readonly get: (row: Row) => unknown;
  /** The part of a filter that asks the same; `undefined` when there is none. */
  readonly part?: (operator: WhereOperator, value: WhereValue) => Filter | undefined;
  /** The part that asks whether a field that stands alone holds. */
  readonly heldPart?: (isHeld: boolean) => Filter | undefined;
}

/** Fields by name; `undefined` for a name that there is not. */
export interface WhereFields<Row, Filter> {
  readonly names: readonly string[];
  find(name: string): WhereField<Row, Filter> | undefined;
}

/** A filter that a condition can be added to. */
export interface MatchingFilter<Row> {
  readonly matching?: (row: Row) => boolean;
}

type Test<Row> = (row: Row) => boolean;

/**
 * The filter of some conditions, all of which have to hold.
 *
 * @param nowMs For times that count from now.
 * @throws NetDbError `filter` that says what is wrong, where, and which fields there are.
 */
export function compileConditions<Row, Filter extends MatchingFilter<Row>>(
  texts: readonly string[],
  fields: WhereFields<Row, Filter>,
  nowMs: number,
  join: (filter: Filter, part: Filter) => Filter | undefined,
  none: Filter,
): Filter {
  let filter = none;
  const tests: Test<Row>[] = [];
  for (const text of texts) {
    const context = { text, fields, nowMs };
    const tree = parse(text);
    for (const node of tree.kind === "and" ? tree.nodes : [tree]) {
      // Said of every part, also of those that become a part of the filter.
      const test = compile(node, context);
      const part = partOf(node, context);
      const joined = part === undefined ? undefined : join(filter, part);
      if (joined === undefined) tests.push(test);
      else filter = joined;
    }
  }
  if (tests.length === 0) return filter;
  return { ...filter, matching: (row: Row) => tests.every((test) => test(row)) };
}

interface Context<Row, Filter> {
  readonly text: string;
  readonly fields: WhereFields<Row, Filter>;
  readonly nowMs: number;
}

function parse(text: string): WhereNode {
  try {
    return parseWhereTree(text, {
      textMax: WHERE_TEXT_MAX,
      depthMax: WHERE_DEPTH_MAX,
      clausesMax: WHERE_CLAUSES_MAX,
    });
  } catch (error) {
    throw error instanceof NetError ? filterError(error, undefined) : error;
  }
}

function compile<Row, Filter>(node: WhereNode, context: Context<Row, Filter>): Test<Row> {
  switch (node.kind) {
    case "and":
    case "or": {
      const tests = node.nodes.map((part) => compile(part, context));
      return node.kind === "and"
        ? (row) => tests.every((test) => test(row))
        : (row) => tests.some((test) => test(row));
    }
    case "not": {
      const test = compile(node.node, context);
      return (row) => !test(row);
    }
    case "exists": {
      const { kind, get } = fieldOf(node.path, node.at, context);
      if (kind.isHeld === undefined) {
        const end = node.at + node.path.length;
        return refuse(context, end, `an operator and ${kind.expected}`);
      }
      return (row) => kind.isHeld?.(get(row)) ?? false;
    }
    case "test": {
      const { kind, get } = fieldOf(node.path, node.at, context);
      const test = kind.test(node.operator, valueOf(node, context));
      if (test === undefined) return refuse(context, node.valueAt, kind.expected);
      return (row) => test(get(row));
    }
  }
}

function partOf<Row, Filter>(node: WhereNode, context: Context<Row, Filter>): Filter | undefined {
  if (node.kind === "test") {
    const { part } = fieldOf(node.path, node.at, context);
    return part?.(node.operator, valueOf(node, context));
  }
  const isNot = node.kind === "not";
  const inner = node.kind === "not" ? node.node : node;
  if (inner.kind !== "exists") return undefined;
  return fieldOf(inner.path, inner.at, context).heldPart?.(!isNot);
}

function fieldOf<Row, Filter>(
  path: string,
  at: number,
  context: Context<Row, Filter>,
): WhereField<Row, Filter> {
  const { fields } = context;
  return fields.find(path) ?? refuse(context, at, `one of ${fields.names.join(", ")}`);
}

function valueOf(
  { value, isQuoted }: Extract<WhereNode, { readonly kind: "test" }>,
  { nowMs }: { readonly nowMs: number },
): WhereValue {
  return { text: value, isQuoted, nowMs };
}

function refuse<Row, Filter>(
  { text, fields }: Context<Row, Filter>,
  at: number,
  expected: string,
): never {
  throw filterError(whereError(text, at, expected), fields.names);
}

function filterError(error: NetError, names: readonly string[] | undefined): NetDbError {
  return new NetDbError("filter", error.message, {
    cause: error,
    next: names === undefined
      ? "write for example 'status=pending && title~fox'"
      : `ask for ${names.join(", ")}`,
    data: error.data,
  });
}
