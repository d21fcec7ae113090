/**
 * The syntax people write `--where` in, over the fields of anything: `level=error && (n>3 || tags.0=x) && !done`.
 *
 * It looks like that of predicates over capabilities. This says what was written; which fields there are and what
 * values mean is up to who asks.
 */
import { NetError } from "./errors.ts";

/** How a field and a value are compared; `*=` (also written `~`) asks whether the one has the other in it. */
export type WhereOperator = "==" | "!=" | ">=" | "<=" | "*=" | ">" | "<";

/** A condition as it was written. */
export type WhereNode =
  | { readonly kind: "and" | "or"; readonly nodes: readonly WhereNode[] }
  | { readonly kind: "not"; readonly node: WhereNode }
  /** A field alone. */
  | { readonly kind: "exists"; readonly path: string; readonly at: number }
  | {
    readonly kind: "test";
    readonly path: string;
    readonly operator: WhereOperator;
    readonly value: string;
    /** The value stood in quotes: it is a text, whatever it looks like. */
    readonly isQuoted: boolean;
    /** Place of the field and of what follows the operator, 0 for the first character. */
    readonly at: number;
    readonly valueAt: number;
  };

/** Bounds of what is read. */
export interface WhereLimits {
  /** Characters. */
  readonly textMax: number;
  /** Brackets and negations inside of each other. */
  readonly depthMax: number;
  /** Fields that are looked at. */
  readonly clausesMax: number;
}

const OPERATORS = ["==", "!=", ">=", "<=", "*=", "=", ">", "<", "~"] as const;
const SAME: Readonly<Record<string, WhereOperator>> = { "=": "==", "~": "*=" };
const SPACE = /\s*/y;
const PATH = /[\p{L}\p{N}_.@/#$:-]+/uy;
/** The rest of the operator is no part of a value: `a~=b` is none of ours. */
const BARE_VALUE = /(?![=~<>])[^\s"'()&|]+/uy;
const QUOTED = /"(?:[^"\\]|\\.)*"/uy;
/** Nothing is escaped in it. */
const SINGLE_QUOTED = /'[^']*'/uy;
const SHOWN_MAX = 24;

/**
 * Reads a condition.
 *
 * @throws NetError `usage` that says what is at which column and what had to be there.
 *
 * @example
 * ```ts
 * import { parseWhereTree } from "./where_tree.ts";
 * const limits = { textMax: 1024, depthMax: 16, clausesMax: 64 };
 * const tree = parseWhereTree("level=error && n>3", limits);
 * console.assert(tree.kind === "and" && tree.nodes.length === 2);
 * ```
 */
export function parseWhereTree(text: string, limits: WhereLimits): WhereNode {
  if (text.length > limits.textMax) {
    throw new NetError(
      "usage",
      `Cannot read condition: length is ${text.length}, must be at most ${limits.textMax}`,
    );
  }
  const reader = new WhereReader(text, limits);
  const node = reader.alternatives(1);
  return reader.isAtEnd ? node : reader.fail("&&, || or the end");
}

/** Says what is wrong at a place of a condition. */
export function whereError(text: string, at: number, expected: string): NetError {
  const rest = text.slice(at, at + SHOWN_MAX);
  const shown = rest === "" ? "the end" : JSON.stringify(rest);
  return new NetError(
    "usage",
    `Cannot read condition: at column ${at + 1} is ${shown}, must be ${expected}`,
    { data: { at, expected } },
  );
}

/** Reads one text piece by piece. */
class WhereReader {
  readonly #text: string;
  readonly #limits: WhereLimits;
  #at = 0;
  #clauses = 0;

  constructor(text: string, limits: WhereLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  get isAtEnd(): boolean {
    return this.#place === this.#text.length;
  }

  alternatives(depth: number): WhereNode {
    return this.#joined("or", "||", () => this.#joined("and", "&&", () => this.#unary(depth)));
  }

  fail(expected: string): never {
    throw whereError(this.#text, this.#place, expected);
  }

  #joined(kind: "and" | "or", joint: string, read: () => WhereNode): WhereNode {
    const first = read();
    const nodes = [first];
    while (this.#take(joint)) nodes.push(read());
    return nodes.length === 1 ? first : { kind, nodes };
  }

  #unary(depth: number): WhereNode {
    const { depthMax } = this.#limits;
    if (depth > depthMax) this.fail(`at most ${depthMax} levels deep`);
    if (this.#take("!")) return { kind: "not", node: this.#unary(depth + 1) };
    if (!this.#take("(")) return this.#clause();
    const node = this.alternatives(depth + 1);
    return this.#take(")") ? node : this.fail("&&, || or )");
  }

  #clause(): WhereNode {
    const { clausesMax } = this.#limits;
    this.#clauses += 1;
    if (this.#clauses > clausesMax) this.fail(`at most ${clausesMax} fields in one condition`);
    const at = this.#place;
    const path = this.#quoted() ?? this.#match(PATH) ??
      this.fail("a path such as level or a.b.0");
    const mark = OPERATORS.find((operator) => this.#take(operator));
    if (mark === undefined) return { kind: "exists", path, at };
    const operator = mark === "=" || mark === "~" ? SAME[mark] ?? "==" : mark;
    const valueAt = this.#place;
    const quoted = this.#quoted();
    const value = quoted ?? this.#match(BARE_VALUE);
    if (value === undefined) return this.fail('a value, such as error, 3 or "a b"');
    return { kind: "test", path, operator, value, isQuoted: quoted !== undefined, at, valueAt };
  }

  #take(mark: string): boolean {
    if (!this.#text.startsWith(mark, this.#place)) return false;
    this.#at += mark.length;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#place;
    const match = pattern.exec(this.#text)?.[0];
    this.#at += match?.length ?? 0;
    return match;
  }

  #quoted(): string | undefined {
    const start = this.#place;
    const mark = this.#text[start];
    if (mark === "'") {
      return this.#match(SINGLE_QUOTED)?.slice(1, -1) ?? this.fail("a text in single quotes");
    }
    if (mark !== '"') return undefined;
    const quoted = this.#match(QUOTED);
    try {
      const text: unknown = JSON.parse(quoted ?? "");
      if (typeof text === "string" && text.isWellFormed()) return text;
    } catch {
      // Not closed, or an unknown escape: said below.
    }
    this.#at = start;
    return this.fail("a text in double quotes, escaped as in JSON");
  }

  /** Place of what comes next, spaces passed over. */
  get #place(): number {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
    return this.#at;
  }
}
