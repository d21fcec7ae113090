/** Filters over rows of any fields: equality, ranges, parts of texts and lists, order. */
import { isSameValue } from "../../cortex/same_value.ts";
import { textSearch } from "../../models/tables/text_column.ts";
import { NetDbError } from "../error.ts";

/** What is asked of one field; all parts have to hold. A plain value asks for equality. */
export type FieldTest<Value> = Value | FieldConditions<Value>;

/** Conditions of one field. */
export interface FieldConditions<Value> {
  readonly eq?: Value;
  readonly ne?: Value;
  readonly in?: readonly Value[];
  /** Numbers and bigints compare by value, texts by code points, dates by time; others never hold. */
  readonly gt?: Value;
  readonly gte?: Value;
  readonly lt?: Value;
  readonly lte?: Value;
  /** A part of a text, without regard to case; or an item of a list. */
  readonly contains?: unknown;
  readonly startsWith?: string;
  /** True when the field is there. */
  readonly exists?: boolean;
}

/** Rows that are wanted; all parts have to hold. */
export interface RowFilter<Row> {
  readonly idIn?: readonly bigint[];
  readonly where?: { readonly [Field in keyof Row]?: FieldTest<Row[Field]> };
  /** Any other condition; it must depend on the row alone. */
  readonly matching?: (row: Row) => boolean;
  /** By id, rising, when left out; rows without the field come last, those of equal values by id. */
  readonly orderBy?:
    | "id-asc"
    | "id-desc"
    | { readonly field: keyof Row & string; readonly isDescending?: boolean };
  /** After ordering; 0 is none. */
  readonly limit?: number;
}

/** Says of a row whether it is wanted. */
export type RowTest = (row: Readonly<Record<string, unknown>>) => boolean;

type ValueTest = (value: unknown) => boolean;

/** Tests of a value by condition; what is wanted is looked at once, not for every row. */
const CONDITIONS: Readonly<Record<string, (wanted: unknown) => ValueTest>> = {
  eq: equalTo,
  ne: (wanted) => not(equalTo(wanted)),
  in: (wanted) => {
    const tests = Array.isArray(wanted) ? wanted.map(equalTo) : [];
    return (value) => tests.some((test) => test(value));
  },
  gt: (wanted) => (value) => (compareValues(value, wanted) ?? 0) > 0,
  gte: (wanted) => (value) => (compareValues(value, wanted) ?? -1) >= 0,
  lt: (wanted) => (value) => (compareValues(value, wanted) ?? 0) < 0,
  lte: (wanted) => (value) => (compareValues(value, wanted) ?? 1) <= 0,
  contains: holding,
  startsWith: (wanted) => (value) =>
    typeof value === "string" && typeof wanted === "string" && value.startsWith(wanted),
  exists: (wanted) => (value) => (value !== undefined) === wanted,
};

/**
 * The tests of a filter's `where`, one per condition.
 *
 * @throws NetDbError `filter` for a condition that there is not.
 */
export function compileWhere(where: Readonly<Record<string, unknown>> = {}): RowTest[] {
  const tests: RowTest[] = [];
  for (const [field, asked] of Object.entries(where)) {
    if (asked === undefined) continue;
    for (const [name, wanted] of conditionsOf(asked)) {
      if (wanted === undefined) continue;
      const condition = Object.hasOwn(CONDITIONS, name) ? CONDITIONS[name] : undefined;
      if (condition === undefined) {
        throw new NetDbError("filter", `filter by ${field}: there is no condition "${name}"`, {
          next: `use one of ${Object.keys(CONDITIONS).join(", ")}`,
        });
      }
      const test = condition(wanted);
      tests.push((row) => test(row[field]));
    }
  }
  return tests;
}

/** Less than 0, 0, or more; `undefined` for values that have no order. */
export function compareValues(a: unknown, b: unknown): number | undefined {
  if (isNumber(a) && isNumber(b)) return a < b ? -1 : a > b ? 1 : a == b ? 0 : undefined;
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  if (a instanceof Date && b instanceof Date) return compareValues(a.getTime(), b.getTime());
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  return undefined;
}

/** An order for values of any kind: numbers, texts, dates, truth values, what has no order, what is not there. */
export function orderValues(a: unknown, b: unknown): number {
  return compareValues(a, b) ?? rankOf(a) - rankOf(b);
}

/** Place of a value's kind in an order. */
export function rankOf(value: unknown): number {
  if (value === undefined || value === null) return 5;
  if (isNumber(value)) return 0;
  if (typeof value === "string") return 1;
  if (value instanceof Date) return 2;
  return typeof value === "boolean" ? 3 : 4;
}

function conditionsOf(asked: unknown): [string, unknown][] {
  const isPlain = typeof asked === "object" && asked !== null &&
    Object.getPrototypeOf(asked) === Object.prototype;
  return isPlain ? Object.entries(asked) : [["eq", asked]];
}

function equalTo(wanted: unknown): ValueTest {
  // 1 and 1n are the same number.
  if (isNumber(wanted)) return (value) => isNumber(value) && value == wanted;
  if (typeof wanted !== "object" || wanted === null) return (value) => value === wanted;
  return (value) => isSameValue(value, wanted);
}

function not(test: ValueTest): ValueTest {
  return (value) => !test(value);
}

function holding(wanted: unknown): ValueTest {
  const isFound = typeof wanted === "string" ? textSearch(wanted) : () => false;
  const isItem = equalTo(wanted);
  return (value) =>
    typeof value === "string" ? isFound(value) : Array.isArray(value) && value.some(isItem);
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** By code points: as UTF-8 bytes are ordered, not as UTF-16 units are. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (left === right) continue;
    // A surrogate stands for a code point above all others.
    const isAbove = isSurrogate(left) !== isSurrogate(right) ? isSurrogate(left) : left > right;
    return isAbove ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
