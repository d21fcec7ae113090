/**
 * The syntax people write predicates in, for example
 * `hardware.gpu && software.runtime.python~=3.10 && !decommissioned` (`docs/predicates.md`).
 *
 * It is for one node's own use: between nodes predicates travel as JSON (`predicate_wire.ts`).
 */
import { isTagAxis, TAG_AXES, type TagKey } from "../tags/tag.ts";
import { TextCursor } from "./_text_cursor.ts";
import { PREDICATE_DEPTH_MAX } from "./limits.ts";
import { numberOfText } from "./number_text.ts";
import type { Predicate } from "./predicate.ts";

/** What metadata keys begin with where a tag's axis would stand. */
export const METADATA_AXIS = "meta";

const TAG_OPERATORS = ["==", "!=", ">=", "<=", "~=", "^=", "*="] as const;
const METADATA_OPERATORS = ["==", "!=", ">=", "*="] as const;
const NO_OPERATOR = /[<>=~^*]/;

/**
 * Reads a predicate.
 *
 * @throws NetError `usage` that says what is at which column and what had to be there.
 *
 * @example
 * ```ts
 * import { parsePredicate } from "./parse_text.ts";
 * const predicate = parsePredicate("hardware.gpu && owner==ada");
 * console.assert(predicate.kind === "and" && predicate.children.length === 2);
 * ```
 */
export function parsePredicate(text: string): Predicate {
  const cursor = new TextCursor(text);
  const predicate = readAlternatives(cursor, 1);
  return cursor.isAtEnd ? predicate : cursor.fail("&&, || or the end");
}

function readAlternatives(cursor: TextCursor, depth: number): Predicate {
  return readJoined(
    cursor,
    "or",
    "||",
    () => readJoined(cursor, "and", "&&", () => readUnary(cursor, depth)),
  );
}

function readJoined(
  cursor: TextCursor,
  kind: "and" | "or",
  joint: string,
  read: () => Predicate,
): Predicate {
  const first = read();
  const children = [first];
  while (cursor.take(joint)) children.push(read());
  return children.length === 1 ? first : { kind, children };
}

function readUnary(cursor: TextCursor, depth: number): Predicate {
  if (depth > PREDICATE_DEPTH_MAX) cursor.fail(`at most ${PREDICATE_DEPTH_MAX} levels deep`);
  if (cursor.take("!")) return { kind: "not", child: readUnary(cursor, depth + 1) };
  if (cursor.take("(")) {
    const predicate = readAlternatives(cursor, depth + 1);
    return cursor.take(")") ? predicate : cursor.fail("&&, || or )");
  }
  return readSubject(cursor, depth);
}

/** A clause, or a list in `all(…)` or `any(…)`. */
function readSubject(cursor: TextCursor, depth: number): Predicate {
  const { place } = cursor;
  const word = cursor.word() ?? cursor.fail("a key such as hardware.gpu or owner");
  if ((word === "all" || word === "any") && cursor.takeAttached("(")) {
    const children = readList(cursor, depth + 1);
    return { kind: word === "all" ? "and" : "or", children };
  }
  const dot = word.indexOf(".");
  if (dot === -1) return readMetadataClause(cursor, word);
  const axis = word.slice(0, dot);
  if (axis !== METADATA_AXIS && !isTagAxis(axis)) {
    const axes = `${TAG_AXES.join(", ")} or ${METADATA_AXIS} in front of the dot`;
    cursor.fail(axes, place, `write ${METADATA_AXIS}.${word} when it is a key of metadata`);
  }
  const key = readKey(cursor, word.slice(dot + 1));
  return isTagAxis(axis) ? readTagClause(cursor, { axis, key }) : readMetadataClause(cursor, key);
}

/** A key: what stood behind the axis, or a quoted text in its place. */
function readKey(cursor: TextCursor, key: string): string {
  if (key !== "") return key;
  return (cursor.isQuoteAttached ? cursor.quoted() : undefined) ??
    cursor.fail('a key behind the dot, such as gpu or "a key"');
}

function readList(cursor: TextCursor, depth: number): readonly Predicate[] {
  if (cursor.take(")")) return [];
  const children = [readAlternatives(cursor, depth)];
  while (cursor.take(",")) children.push(readAlternatives(cursor, depth));
  return cursor.take(")") ? children : cursor.fail("&&, ||, a comma or )");
}

function readTagClause(cursor: TextCursor, key: TagKey): Predicate {
  if (cursor.takeWord("in")) return { kind: "numeric_in_range", key, ...readRange(cursor) };
  const operator = takeOperator(cursor, TAG_OPERATORS);
  switch (operator) {
    case undefined:
      return { kind: "exists", key };
    case "==":
      return { kind: "equals", key, value: readText(cursor) };
    case "!=":
      return { kind: "not", child: { kind: "equals", key, value: readText(cursor) } };
    case ">=":
    case "<=": {
      const end = operator === ">=" ? "least" : "most";
      const version = readVersion(cursor);
      return version === undefined
        ? { kind: `numeric_at_${end}`, key, threshold: readNumber(cursor) }
        : { kind: `semver_at_${end}`, key, version };
    }
    case "~=":
      return { kind: "semver_compatible", key, version: readVersion(cursor) ?? readText(cursor) };
    case "^=":
      return { kind: "string_prefix", key, prefix: readText(cursor) };
    case "*=":
      return { kind: "string_matches", key, pattern: readText(cursor) };
  }
}

function readMetadataClause(cursor: TextCursor, key: string): Predicate {
  const operator = takeOperator(cursor, METADATA_OPERATORS);
  switch (operator) {
    case undefined:
      return { kind: "metadata_exists", key };
    case "==":
      return { kind: "metadata_equals", key, value: readText(cursor) };
    case "!=":
      return { kind: "not", child: { kind: "metadata_equals", key, value: readText(cursor) } };
    case ">=":
      return { kind: "metadata_numeric_at_least", key, threshold: readNumber(cursor) };
    case "*=":
      return { kind: "metadata_matches", key, pattern: readText(cursor) };
  }
}

function takeOperator<Operator extends string>(
  cursor: TextCursor,
  operators: readonly Operator[],
): Operator | undefined {
  const operator = cursor.takeOneOf(operators);
  if (operator === undefined && cursor.startsWith(NO_OPERATOR)) {
    cursor.fail(`one of ${operators.join(" ")}`);
  }
  return operator;
}

function readText(cursor: TextCursor): string {
  return cursor.quoted() ?? cursor.bareValue() ?? cursor.fail('a value, such as linux or "a b"');
}

/** `v3.10` or `v"…"`; `undefined` when something else comes next. */
function readVersion(cursor: TextCursor): string | undefined {
  if (!cursor.startsWith(/v[0-9"]/)) return undefined;
  cursor.take("v");
  return readText(cursor);
}

function readNumber(cursor: TextCursor): number {
  const { place } = cursor;
  const number = numberOfText(cursor.bareValue() ?? "");
  return Number.isFinite(number)
    ? number
    : cursor.fail("a number such as 64, or a version such as v3.10", place);
}

function readRange(cursor: TextCursor): { readonly min: number; readonly max: number } {
  if (!cursor.take("[")) cursor.fail("a range such as [32, 128]");
  const min = readNumber(cursor);
  if (!cursor.take(",")) cursor.fail("a comma between the ends of the range");
  const max = readNumber(cursor);
  if (!cursor.take("]")) cursor.fail("] behind the range");
  return { min, max };
}
