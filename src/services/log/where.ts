/**
 * Conditions as people write them: `status==pending && (title~milk || !pinned)`.
 *
 * A path is names and numbers with dots between. It is compared by `==`, `!=`, `<`, `<=`, `>`, `>=`, or by `~`:
 * a text that contains the other, whatever the case of its letters, or a list that has it as a member. A path
 * alone holds when it is there and neither null nor false. A value is JSON, or a word without quotes.
 */
import { NetError } from "../../base/mod.ts";
import { WHERE_CHARACTERS_MAX, WHERE_DEPTH_MAX } from "./limits.ts";

/** How two values are compared. */
export type WhereOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "~";

/** A value in a condition; a number keeps its text, because `1` and `1.0` may differ. */
export type WhereValue = null | boolean | string | { readonly number: string };

/** A condition. */
export type Where =
  | {
    readonly kind: "compare";
    readonly path: string;
    readonly operator: WhereOperator;
    readonly value: WhereValue;
  }
  | { readonly kind: "present"; readonly path: string }
  | { readonly kind: "and" | "or"; readonly parts: readonly Where[] }
  | { readonly kind: "not"; readonly part: Where };

type Token =
  | { readonly kind: "sign"; readonly text: string; readonly at: number }
  | { readonly kind: "word"; readonly text: string; readonly at: number }
  | { readonly kind: "text"; readonly text: string; readonly at: number };

const SPACE = /\s*/y;
const SIGN = /&&|\|\||==|!=|<=|>=|[()!<>~=]/y;
const WORD = /[^\s()!<>~=&|"']+/y;
const DOUBLE_QUOTED = /"(?:[^"\\]|\\.)*"/y;
const SINGLE_QUOTED = /'([^']*)'/y;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const OPERATORS: ReadonlyMap<string, WhereOperator> = new Map([
  ["=", "=="],
  ["==", "=="],
  ["!=", "!="],
  ["<", "<"],
  ["<=", "<="],
  [">", ">"],
  [">=", ">="],
  ["~", "~"],
]);

/**
 * Reads a condition.
 *
 * @throws NetError `usage` that says where it is wrong.
 *
 * @example
 * ```ts
 * import { parseWhere } from "./where.ts";
 * const where = parseWhere("status==pending && !pinned");
 * console.assert(where.kind === "and" && where.parts.length === 2);
 * ```
 */
export function parseWhere(text: string): Where {
  if (text.length > WHERE_CHARACTERS_MAX) {
    throw new NetError(
      "usage",
      `Cannot read condition: it has ${text.length} characters, must be at most ${WHERE_CHARACTERS_MAX}`,
    );
  }
  return new WhereParser(text).parse();
}

class WhereParser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #index = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = this.#scan();
  }

  parse(): Where {
    const where = this.#or(0);
    const left = this.#tokens[this.#index];
    if (left !== undefined) this.#fail(`"${left.text}" is one too many`, left.at);
    return where;
  }

  #or(depth: number): Where {
    const parts = [this.#and(depth)];
    while (this.#takeSign("||")) parts.push(this.#and(depth));
    return joined("or", parts);
  }

  #and(depth: number): Where {
    const parts = [this.#unary(depth)];
    while (this.#takeSign("&&")) parts.push(this.#unary(depth));
    return joined("and", parts);
  }

  #unary(depth: number): Where {
    if (depth > WHERE_DEPTH_MAX) this.#fail(`parts stand in more than ${WHERE_DEPTH_MAX} others`);
    if (this.#takeSign("!")) return { kind: "not", part: this.#unary(depth + 1) };
    if (this.#takeSign("(")) {
      const part = this.#or(depth + 1);
      if (!this.#takeSign(")")) this.#fail("a ) is missing");
      return part;
    }
    return this.#comparison();
  }

  #comparison(): Where {
    const token = this.#tokens[this.#index];
    if (token === undefined || token.kind === "sign") this.#fail("a path is missing", token?.at);
    this.#index += 1;
    const path = token.text;
    const sign = this.#tokens[this.#index];
    const operator = sign?.kind === "sign" ? OPERATORS.get(sign.text) : undefined;
    if (operator === undefined) return { kind: "present", path };
    this.#index += 1;
    const value = this.#tokens[this.#index];
    if (value === undefined || value.kind === "sign") this.#fail("a value is missing", value?.at);
    this.#index += 1;
    return { kind: "compare", path, operator, value: valueOf(value) };
  }

  #takeSign(text: string): boolean {
    const token = this.#tokens[this.#index];
    if (token?.kind !== "sign" || token.text !== text) return false;
    this.#index += 1;
    return true;
  }

  #scan(): Token[] {
    const tokens: Token[] = [];
    let at = 0;
    const take = (pattern: RegExp): RegExpExecArray | null => {
      pattern.lastIndex = at;
      const match = pattern.exec(this.#text);
      if (match !== null) at = pattern.lastIndex;
      return match;
    };
    for (;;) {
      take(SPACE);
      if (at >= this.#text.length) return tokens;
      const start = at;
      const sign = take(SIGN);
      if (sign !== null) {
        tokens.push({ kind: "sign", text: sign[0], at: start });
        continue;
      }
      const quoted = take(SINGLE_QUOTED);
      if (quoted !== null) {
        tokens.push({ kind: "text", text: quoted[1] ?? "", at: start });
        continue;
      }
      const json = take(DOUBLE_QUOTED);
      if (json !== null) {
        tokens.push({ kind: "text", text: this.#unescape(json[0], start), at: start });
        continue;
      }
      const word = take(WORD);
      if (word === null) this.#fail(`"${this.#text.charAt(start)}" is not understood`, start);
      tokens.push({ kind: "word", text: word[0], at: start });
    }
  }

  #unescape(text: string, at: number): string {
    try {
      return String(JSON.parse(text));
    } catch {
      this.#fail(`the text ${text.slice(0, 40)} is no JSON text`, at);
    }
  }

  #fail(reason: string, at = this.#text.length): never {
    const shown = this.#text.length <= 200 ? this.#text : `${this.#text.slice(0, 200)}…`;
    throw new NetError(
      "usage",
      `Cannot read condition '${shown}': ${reason}, at character ${at + 1}`,
      { next: "write for example 'kind==order && (total>=10 || !paid)'" },
    );
  }
}

function joined(kind: "and" | "or", parts: readonly Where[]): Where {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind, parts };
}

function valueOf({ kind, text }: Token): WhereValue {
  if (kind === "text") return text;
  if (text === "null") return null;
  if (text === "true" || text === "false") return text === "true";
  return NUMBER.test(text) ? { number: text } : text;
}

/**
 * True when a condition holds.
 *
 * @param valueAt What stands at a path: plain JSON, a bigint, or a Date, which is compared with ISO text and
 * with Unix milliseconds; `undefined` when nothing does.
 */
export function holds(where: Where, valueAt: (path: string) => unknown): boolean {
  switch (where.kind) {
    case "and":
      return where.parts.every((part) => holds(part, valueAt));
    case "or":
      return where.parts.some((part) => holds(part, valueAt));
    case "not":
      return !holds(where.part, valueAt);
    case "present": {
      const value = valueAt(where.path);
      return value !== undefined && value !== null && value !== false;
    }
    case "compare":
      return compare(valueAt(where.path), where.operator, where.value);
  }
}

/** What stands at a path of plain JSON; the path "." is all of it. */
export function jsonAt(value: unknown, path: string): unknown {
  if (path === ".") return value;
  let at = value;
  for (const name of path.split(".")) {
    if (Array.isArray(at)) at = /^\d{1,9}$/.test(name) ? at[Number(name)] : undefined;
    else if (typeof at === "object" && at !== null && Object.hasOwn(at, name)) {
      at = Reflect.get(at, name);
    } else return undefined;
  }
  return at;
}

function compare(left: unknown, operator: WhereOperator, right: WhereValue): boolean {
  if (operator === "!=") return !compare(left, "==", right);
  if (left === undefined) return false;
  if (operator === "~") return contains(left, right);
  const order = orderOf(left, right);
  if (order === undefined) return false;
  switch (operator) {
    case "==":
      return order === 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
  }
}

/** Below 0, 0, or above 0; `undefined` for values that can't be compared. */
function orderOf(left: unknown, right: WhereValue): number | undefined {
  if (left instanceof Date) return ordered(left.getTime(), timeOf(right));
  if (typeof right === "object" && right !== null) {
    if (typeof left === "number") return ordered(left, Number(right.number));
    if (typeof left !== "bigint") return undefined;
    return /^-?\d+$/.test(right.number)
      ? ordered(left, BigInt(right.number))
      : ordered(Number(left), Number(right.number));
  }
  if (typeof left === "string" && typeof right === "string") return ordered(left, right);
  return left === right ? 0 : undefined;
}

function ordered<T extends number | bigint | string>(
  left: T,
  right: T | undefined,
): number | undefined {
  if (right === undefined || right !== right) return undefined;
  return left < right ? -1 : left > right ? 1 : 0;
}

function timeOf(value: WhereValue): number | undefined {
  if (typeof value === "string") return Date.parse(value);
  return typeof value === "object" && value !== null ? Number(value.number) : undefined;
}

function contains(left: unknown, right: WhereValue): boolean {
  if (Array.isArray(left)) return left.some((member) => orderOf(member, right) === 0);
  if (typeof left !== "string") return false;
  const needle = typeof right === "string"
    ? right
    : typeof right === "object" && right !== null
    ? right.number
    : String(right);
  return left.toLowerCase().includes(needle.toLowerCase());
}
