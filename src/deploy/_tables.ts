/**
 * Reads values out of TOML tables: each with its type, its limit and, when wrong, its `table.key`.
 *
 * Keys nobody asks for are left alone, so that newer files stay readable.
 */
import { NetError } from "../base/mod.ts";
import { quote } from "./names.ts";

/** A table with the name it has in its file. */
export interface Table {
  /** The file, for errors. */
  readonly file: string;
  /** Dotted path of the table; empty for the top. */
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** What a text must be. */
export interface TextRule {
  /** In characters; 1024 when left out. */
  readonly lengthMax?: number;
  readonly test?: (text: string) => boolean;
  /** What passes the test, for the error: `must be …`. */
  readonly must?: string;
}

const TEXT_LENGTH_MAX = 1_024;

/** The table `key` of a table; `undefined` when there is none. */
export function tableAt(table: Table, key: string): Table | undefined {
  const value = at(table, key);
  if (value === undefined) return undefined;
  if (!isTable(value)) throw wrong(table, key, "must be a table");
  return { file: table.file, path: pathOf(table, key), values: value };
}

/** The tables below a table, by name, each checked with `isName`. */
export function* tablesIn(
  table: Table | undefined,
  countMax: number,
  isName: (name: string) => boolean,
): Generator<readonly [string, Table]> {
  if (table === undefined) return;
  const names = Object.keys(table.values);
  if (names.length > countMax) {
    throw new NetError(
      "usage",
      `${table.file}: [${table.path}] has ${names.length} entries, must be at most ${countMax}`,
      { next: "check that it is the right file" },
    );
  }
  for (const name of names) {
    if (!isName(name)) throw wrong(table, name, "is not a name that can be used");
    const inner = tableAt(table, name);
    if (inner !== undefined) yield [name, inner];
  }
}

/** The tables of the array at `key`; none when there is no such array. */
export function tablesOfList(table: Table, key: string, countMax: number): readonly Table[] {
  const value = at(table, key);
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw wrong(table, key, "must be an array of tables");
  if (value.length > countMax) {
    throw wrong(table, key, `has ${value.length} entries, must be at most ${countMax}`);
  }
  return value.map((entry, index) => {
    const place = `${key}[${index}]`;
    if (!isTable(entry)) throw wrong(table, place, "must be a table");
    return { file: table.file, path: pathOf(table, place), values: entry };
  });
}

/** The text at `key`; `undefined` when there is none. */
export function textAt(table: Table, key: string, rule: TextRule = {}): string | undefined {
  const value = at(table, key);
  if (value === undefined) return undefined;
  return checkText(table, key, value, rule);
}

/** The text at `key`, which must be there. */
export function requiredTextAt(table: Table, key: string, rule: TextRule = {}): string {
  const text = textAt(table, key, rule);
  if (text === undefined) throw wrong(table, key, "is missing");
  return text;
}

/** The texts at `key`; `undefined` when there are none. */
export function textsAt(
  table: Table,
  key: string,
  countMax: number,
  rule: TextRule = {},
): readonly string[] | undefined {
  const value = at(table, key);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw wrong(table, key, "must be an array of texts");
  if (value.length > countMax) {
    throw wrong(table, key, `has ${value.length} entries, must be at most ${countMax}`);
  }
  return value.map((entry, index) => checkText(table, `${key}[${index}]`, entry, rule));
}

/** True, false, or `undefined` when there is nothing at `key`. */
export function flagAt(table: Table, key: string): boolean | undefined {
  const value = at(table, key);
  if (value === undefined || typeof value === "boolean") return value;
  throw wrong(table, key, "must be true or false");
}

/** The port at `key`, 1 to 65535; `undefined` when there is none. */
export function portAt(table: Table, key: string): number | undefined {
  const value = at(table, key);
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535) {
    return value;
  }
  throw wrong(table, key, "must be a port: a whole number from 1 to 65535");
}

/** A moment as text: TOML's own date, or a text that is one (RFC 3339). */
export function momentAt(table: Table, key: string): string | undefined {
  const value = at(table, key);
  if (value === undefined) return undefined;
  if (value instanceof Date) {
    if (!Number.isNaN(value.getTime())) return value.toISOString();
  } else if (typeof value === "string" && value.length <= 40 && MOMENT.test(value)) {
    if (!Number.isNaN(Date.parse(value))) return value;
  }
  throw wrong(table, key, "must be a moment such as 2026-01-31T12:00:00Z");
}

const MOMENT = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/i;

/** The error for a value, with its place. */
export function wrong(table: Table, key: string, what: string): NetError {
  return new NetError("usage", `${table.file}: ${pathOf(table, key)} ${what}`, {
    next: `mend it in ${table.file}`,
  });
}

/** The object without the fields that are not there. */
export function given<T extends object>(fields: T): T {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as T;
}

function checkText(table: Table, key: string, value: unknown, rule: TextRule): string {
  if (typeof value !== "string") throw wrong(table, key, "must be a text");
  const lengthMax = rule.lengthMax ?? TEXT_LENGTH_MAX;
  if (value.length > lengthMax) {
    throw wrong(table, key, `has ${value.length} characters, must have at most ${lengthMax}`);
  }
  if (rule.test !== undefined && !rule.test(value)) {
    throw wrong(table, key, `is ${quote(value)}, must be ${rule.must ?? "another text"}`);
  }
  return value;
}

/** Only what the file holds: never what objects inherit. */
function at(table: Table, key: string): unknown {
  return Object.hasOwn(table.values, key) ? table.values[key] : undefined;
}

/** `builds.x86_64-linux.binary`; a name that is none is quoted. */
function pathOf(table: Table, key: string): string {
  const shown = /^[A-Za-z0-9_-]{1,64}(\[\d+\])?$/.test(key) ? key : quote(key);
  return table.path === "" ? shown : `${table.path}.${shown}`;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}
