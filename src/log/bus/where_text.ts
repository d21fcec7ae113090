/**
 * The syntax people write `--where` in: `level=error && (n>3 || tags.0=x) && !done`. It looks like that of
 * predicates over capabilities, on the fields of an event's JSON.
 *
 * A path may stand alone, and asks whether it leads anywhere. Values are texts unless they look like a number,
 * `true`, `false` or `null`; quotes make a text of anything. Numbers are compared by value here, so that `n=1`
 * finds `1.0` too. A text that begins with `{` is taken for the JSON form.
 */
import { BusError } from "./error.ts";
import { parseFilter } from "./filter.ts";
import { JsonNumberText, wholeNumberOf } from "./json.ts";
import { FILTER_DEPTH_MAX, FILTER_TEXT_MAX } from "./limits.ts";
import type { BusFilter, FilterOperator } from "./types.ts";

const OPERATORS = ["==", "!=", ">=", "<=", "*=", "=", ">", "<"] as const;
const SPACE = /\s*/y;
const PATH = /[\p{L}\p{N}_.@/#$:-]+/uy;
const BARE_VALUE = /[^\s"()&|]+/uy;
const QUOTED = /"(?:[^"\\]|\\.)*"/uy;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const WORDS = new Map<string, boolean | null>([["true", true], ["false", false], ["null", null]]);
const SHOWN_MAX = 24;

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
  const cursor = new Cursor(text);
  const filter = readAlternatives(cursor, 1);
  return cursor.isAtEnd ? filter : cursor.fail("&&, || or the end");
}

function readAlternatives(cursor: Cursor, depth: number): BusFilter {
  return readJoined(cursor, "or", "||", () => {
    return readJoined(cursor, "and", "&&", () => readUnary(cursor, depth));
  });
}

function readJoined(
  cursor: Cursor,
  kind: "and" | "or",
  joint: string,
  read: () => BusFilter,
): BusFilter {
  const first = read();
  const filters = [first];
  while (cursor.take(joint)) filters.push(read());
  return filters.length === 1 ? first : { kind, filters };
}

function readUnary(cursor: Cursor, depth: number): BusFilter {
  // Each level makes two of a filter: one of && and one of ||.
  if (2 * depth > FILTER_DEPTH_MAX) cursor.fail(`at most ${FILTER_DEPTH_MAX / 2} levels deep`);
  if (cursor.take("!")) return { kind: "not", filter: readUnary(cursor, depth + 1) };
  if (!cursor.take("(")) return readClause(cursor);
  const filter = readAlternatives(cursor, depth + 1);
  return cursor.take(")") ? filter : cursor.fail("&&, || or )");
}

function readClause(cursor: Cursor): BusFilter {
  const path = cursor.quoted() ?? cursor.match(PATH) ??
    cursor.fail("a path such as level or a.b.0");
  const operator = OPERATORS.find((mark) => cursor.take(mark));
  if (operator === undefined) return { kind: "exists", path };
  const quoted = cursor.quoted();
  const bare = quoted === undefined ? cursor.match(BARE_VALUE) : undefined;
  const value = quoted ?? (bare === undefined ? undefined : valueOf(bare));
  if (value === undefined) return cursor.fail('a value, such as error, 3 or "a b"');
  if (operator === "=" || operator === "==") return equal(path, value);
  if (operator === "!=") return { kind: "not", filter: equal(path, value) };
  if (operator === "*=") return { kind: "compare", path, operator, value: quoted ?? bare ?? "" };
  return comparison(cursor, path, operator, value);
}

type Value = string | boolean | null | JsonNumberText;

function equal(path: string, value: Value): BusFilter {
  if (!(value instanceof JsonNumberText)) return { kind: "eq", path, value };
  const number = Number(value.number);
  // What a double does not hold exactly is compared as it is written.
  const isExact = wholeNumberOf(value.number) === undefined || Number.isSafeInteger(number);
  return isExact
    ? { kind: "compare", path, operator: "==", value: number }
    : { kind: "eq", path, value };
}

function comparison(
  cursor: Cursor,
  path: string,
  operator: FilterOperator,
  value: Value,
): BusFilter {
  if (value instanceof JsonNumberText) {
    return { kind: "compare", path, operator, value: Number(value.number) };
  }
  if (typeof value === "string") return { kind: "compare", path, operator, value };
  return cursor.fail("a number or a text behind the comparison");
}

function valueOf(text: string): Value {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  return NUMBER.test(text) && Number.isFinite(Number(text)) ? new JsonNumberText(text) : text;
}

/** Reads one text piece by piece. */
class Cursor {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.length <= FILTER_TEXT_MAX) return;
    throw new BusError(
      "filter",
      `Cannot read condition: length is ${text.length}, must be at most ${FILTER_TEXT_MAX}`,
    );
  }

  get isAtEnd(): boolean {
    return this.#place === this.#text.length;
  }

  take(mark: string): boolean {
    if (!this.#text.startsWith(mark, this.#place)) return false;
    this.#at += mark.length;
    return true;
  }

  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#place;
    const match = pattern.exec(this.#text)?.[0];
    this.#at += match?.length ?? 0;
    return match;
  }

  quoted(): string | undefined {
    if (this.#text[this.#place] !== '"') return undefined;
    const quoted = this.match(QUOTED);
    try {
      const text: unknown = JSON.parse(quoted ?? "");
      if (typeof text === "string" && text.isWellFormed()) return text;
    } catch {
      // Not closed, or an unknown escape: said below.
    }
    return this.fail("a text in double quotes, escaped as in JSON");
  }

  fail(expected: string): never {
    const at = this.#place;
    const rest = this.#text.slice(at, at + SHOWN_MAX);
    const shown = rest === "" ? "the end" : JSON.stringify(rest);
    throw new BusError(
      "filter",
      `Cannot read condition: at column ${at + 1} is ${shown}, must be ${expected}`,
      { next: "write for example 'level=error && n>3'", data: { at, expected } },
    );
  }

  /** Place of what comes next, spaces passed over. */
  get #place(): number {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
    return this.#at;
  }
}
