/** What a text condition may ask of a field, by what kind of value the field has. */
import type { WhereOperator } from "../../../base/mod.ts";
import { textSearch } from "../../models/tables/text_column.ts";
import { compareValues } from "../own/row_filter.ts";

/** A value that was written behind an operator. */
export interface WhereValue {
  readonly text: string;
  readonly isQuoted: boolean;
  /** For times that count from now, in Unix milliseconds. */
  readonly nowMs: number;
}

/** A kind of field. */
export interface FieldKind {
  /** What must stand behind the operator, for errors. */
  readonly expected: string;
  /** The test of a field's value; `undefined` when it is no value or no operator for this kind. */
  test(operator: WhereOperator, value: WhereValue): ((field: unknown) => boolean) | undefined;
  /** True when a field alone holds; when left out, it may not stand alone. */
  isHeld?(field: unknown): boolean;
}

const ORDERS: Readonly<Record<string, (order: number) => boolean>> = {
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
};
const INTEGER = /^(?:[0-9]+|0x[0-9a-fA-F]+)$/;
const AGO = /^-([0-9]{1,9})(ms|s|m|h|d)$/;
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?$/;
const NS_PER_MS = 1_000_000n;
const MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Ids and counts. */
export const INTEGER_FIELD: FieldKind = {
  expected: "a whole number",
  test: (operator, value) => orderTest(operator, integerOf(value)),
};

/** Times in nanoseconds. */
export const TIME_FIELD: FieldKind = {
  expected: "a time such as 2026-11-28, 2026-11-28T09:30:00Z, -2h or Unix nanoseconds",
  test: (operator, value) => orderTest(operator, timeOf(value)),
};

/** Texts: exact, or a part without regard to case. */
export const TEXT_FIELD: FieldKind = {
  expected: "a text",
  test: (operator, { text }) => {
    if (operator !== "*=") return orderTest(operator, text);
    const isFound = textSearch(text);
    return (field) => typeof field === "string" && isFound(field);
  },
};

/** Lists of texts: one of them is this. */
export const LIST_FIELD: FieldKind = {
  expected: "one item of the list, with =, != or ~",
  test: (operator, { text }) => {
    if (operator !== "==" && operator !== "!=" && operator !== "*=") return undefined;
    return (field) => (Array.isArray(field) && field.includes(text)) === (operator !== "!=");
  },
  isHeld: (field) => Array.isArray(field) && field.length > 0,
};

/** True or false; may stand alone. */
export const FLAG_FIELD: FieldKind = {
  expected: "true or false, with = or !=",
  test: (operator, { text }) => {
    if (text !== "true" && text !== "false") return undefined;
    if (operator !== "==" && operator !== "!=") return undefined;
    const wanted = (text === "true") === (operator === "==");
    return (field) => field === wanted;
  },
  isHeld: (field) => field === true,
};

/** One of some words. */
export function wordField(words: readonly string[]): FieldKind {
  return {
    expected: `one of ${words.join(", ")}`,
    test: (operator, { text }) => {
      const word = text.toLowerCase();
      if (!words.includes(word) || (operator !== "==" && operator !== "!=")) return undefined;
      return (field) => (field === word) === (operator === "==");
    },
  };
}

/** Any JSON-like value; what was written is a number, a time, a truth value or a text, whichever fits the field. */
export const ANY_FIELD: FieldKind = {
  expected: "a value",
  test: anyTest,
  isHeld: (field) => field !== undefined && field !== null && field !== false,
};

/** The number that was written; `undefined` when it is none. */
export function integerOf({ text }: WhereValue): bigint | undefined {
  return INTEGER.test(text) ? BigInt(text) : undefined;
}

/** Unix nanoseconds of the time that was written; `undefined` when it is none. */
export function timeOf({ text, nowMs }: WhereValue): bigint | undefined {
  if (INTEGER.test(text)) return BigInt(text);
  const [, count, unit = ""] = AGO.exec(text) ?? [];
  if (count !== undefined) {
    return BigInt(Math.floor(nowMs - Number(count) * (MS[unit] ?? 0))) * NS_PER_MS;
  }
  const ms = DATE.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(ms) ? undefined : BigInt(ms) * NS_PER_MS;
}

function orderTest(
  operator: WhereOperator,
  wanted: unknown,
): ((field: unknown) => boolean) | undefined {
  const holds = ORDERS[operator];
  if (wanted === undefined || holds === undefined) return undefined;
  return (field) => {
    const order = compareValues(field, wanted);
    return order === undefined ? operator === "!=" : holds(order);
  };
}

function anyTest(operator: WhereOperator, value: WhereValue): (field: unknown) => boolean {
  if (operator === "!=") {
    const isEqual = anyTest("==", value);
    return (field) => !isEqual(field);
  }
  const { text } = value;
  const isItem = operator === "*=" ? anyTest("==", value) : undefined;
  const byText = TEXT_FIELD.test(operator, value);
  const byScalar = scalarTest(operator, value);
  return (field) => {
    if (typeof field === "string") return byText?.(field) ?? false;
    if (Array.isArray(field)) {
      if (isItem !== undefined) return field.some(isItem);
      return operator === "==" && field.some((item) => item === text || byScalar(item));
    }
    return operator !== "*=" && byScalar(field);
  };
}

/** A test of numbers, times and truth values; a value in quotes is none of them, but may be a time. */
function scalarTest(operator: WhereOperator, value: WhereValue): (field: unknown) => boolean {
  const { text, isQuoted } = value;
  const byTime = orderTest(operator, timeOf(value));
  const number = integerOf(value) ?? (text.trim() === "" ? NaN : Number(text));
  const byNumber = isQuoted ? undefined : orderTest(operator, number);
  const isWord = operator === "==" && !isQuoted;
  return (field) => {
    if (field instanceof Date) {
      const ms = field.getTime();
      return !Number.isNaN(ms) && (byTime?.(BigInt(ms) * NS_PER_MS) ?? false);
    }
    if (typeof field === "number" || typeof field === "bigint") return byNumber?.(field) ?? false;
    return isWord && (field === null || typeof field === "boolean") && text === String(field);
  };
}
