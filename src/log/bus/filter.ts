/**
 * Filters over events: read from their JSON, compiled once, run on the bytes of many events (`storage.md` 2.5).
 *
 * An event that is no JSON passes no filter, not even a negated one.
 */
import { BusError } from "./error.ts";
import {
  equalJson,
  type FilterObject,
  type FilterValue,
  isObject,
  JsonNumberText,
  readJson,
  writeJson,
} from "./json.ts";
import {
  FILTER_CLAUSES_MAX,
  FILTER_DEPTH_MAX,
  FILTER_PATH_MAX,
  FILTER_TEXT_MAX,
} from "./limits.ts";
import type { BusFilter } from "./types.ts";

/** Says of an event's JSON whether it is wanted. */
export type EventTest = (event: FilterValue) => boolean;

const INDEX = /^\+?[0-9]+$/;

/**
 * Reads a filter from its JSON.
 *
 * @throws BusError `filter` when it has none of the forms, is too long, too deep or has too many clauses.
 *
 * @example
 * ```ts
 * import { compileFilter, parseFilter } from "./filter.ts";
 * const isWanted = compileFilter(parseFilter('{"path":"level","value":"error"}'));
 * console.assert(isWanted(new TextEncoder().encode('{"level":"error"}')));
 * ```
 */
export function parseFilter(text: string): BusFilter {
  if (text.length > FILTER_TEXT_MAX) {
    throw refused(`length is ${text.length}, must be at most ${FILTER_TEXT_MAX}`);
  }
  const value = readJson(text);
  if (value === undefined) throw refused("it is no JSON");
  return filterOf(value) ??
    refuse("it has none of the forms $and, $or, $not, $eq or path with value");
}

/** JSON of a filter that has only the reference's forms. @throws BusError `filter` for others. */
export function formatFilter(filter: BusFilter): string {
  return writeJson(toJson(filter));
}

/**
 * A test of an event's bytes.
 *
 * @throws BusError `filter` when it is too deep or has too many clauses.
 */
export function compileFilter(filter: BusFilter): (raw: Uint8Array) => boolean {
  const test = compileTest(filter);
  return (raw) => {
    const event = readJson(raw);
    return event !== undefined && test(event);
  };
}

/** A test of an event that was already read. @throws BusError as {@linkcode compileFilter}. */
export function compileTest(filter: BusFilter): EventTest {
  const budget = { clauses: FILTER_CLAUSES_MAX };
  return testOf(filter, 1, budget);
}

function filterOf(value: FilterValue): BusFilter | undefined {
  if (!isObject(value)) return undefined;
  // A key whose value has not its form counts as an extra one: the next form is tried.
  return listOf(value["$and"], "and") ?? listOf(value["$or"], "or") ?? notOf(value["$not"]) ??
    eqOf(value["$eq"]) ?? eqOf(value);
}

function listOf(value: FilterValue | undefined, kind: "and" | "or"): BusFilter | undefined {
  if (!Array.isArray(value)) return undefined;
  const filters: BusFilter[] = [];
  for (const item of value) {
    const filter = filterOf(item);
    if (filter === undefined) return undefined;
    filters.push(filter);
  }
  return { kind, filters };
}

function notOf(value: FilterValue | undefined): BusFilter | undefined {
  const filter = value === undefined ? undefined : filterOf(value);
  return filter && { kind: "not", filter };
}

function eqOf(form: FilterValue | undefined): BusFilter | undefined {
  if (form === undefined || !isObject(form)) return undefined;
  const { path, value } = form;
  if (typeof path !== "string" || value === undefined) return undefined;
  return { kind: "eq", path, value };
}

function toJson(filter: BusFilter): FilterValue {
  switch (filter.kind) {
    case "and":
    case "or":
      return { [`$${filter.kind}`]: filter.filters.map(toJson) };
    case "not":
      return { $not: toJson(filter.filter) };
    case "eq":
      return { path: filter.path, value: filter.value };
    default:
      return refuse(`a filter of kind ${filter.kind} has no JSON form`);
  }
}

function testOf(filter: BusFilter, depth: number, budget: { clauses: number }): EventTest {
  if (depth > FILTER_DEPTH_MAX) refuse(`it is more than ${FILTER_DEPTH_MAX} levels deep`);
  if (--budget.clauses < 0) refuse(`it has more than ${FILTER_CLAUSES_MAX} clauses`);
  switch (filter.kind) {
    case "and": {
      const tests = filter.filters.map((child) => testOf(child, depth + 1, budget));
      return (event) => tests.length > 0 && tests.every((test) => test(event));
    }
    case "or": {
      const tests = filter.filters.map((child) => testOf(child, depth + 1, budget));
      return (event) => tests.some((test) => test(event));
    }
    case "not": {
      const test = testOf(filter.filter, depth + 1, budget);
      return (event) => !test(event);
    }
    case "eq": {
      const find = finderOf(filter.path);
      const { value } = filter;
      return (event) => {
        const found = find(event);
        return found !== undefined && equalJson(found, value);
      };
    }
    case "exists": {
      const find = finderOf(filter.path);
      return (event) => find(event) !== undefined;
    }
    case "compare":
      return comparisonOf(filter);
  }
}

function comparisonOf(filter: Extract<BusFilter, { kind: "compare" }>): EventTest {
  const find = finderOf(filter.path);
  const { operator, value } = filter;
  return (event) => {
    const found = find(event);
    if (typeof value === "string") {
      return typeof found === "string" && compare(found, operator, value);
    }
    return found instanceof JsonNumberText && compare(Number(found.number), operator, value);
  };
}

function compare<Value extends string | number>(
  left: Value,
  operator: string,
  right: Value,
): boolean {
  switch (operator) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
    case "*=":
      return String(left).includes(String(right));
    default:
      return left === right;
  }
}

/** Follows a path of object keys and array indexes; an empty one leads to the event itself. */
function finderOf(path: string): (event: FilterValue) => FilterValue | undefined {
  if (path === "") return (event) => event;
  const segments = path.split(".", FILTER_PATH_MAX + 1);
  if (segments.length > FILTER_PATH_MAX) {
    refuse(`a path has more than ${FILTER_PATH_MAX} parts`);
  }
  return (event) => {
    let value: FilterValue | undefined = event;
    for (const segment of segments) {
      if (Array.isArray(value)) value = INDEX.test(segment) ? value[Number(segment)] : undefined;
      else if (value !== undefined && isObject(value)) value = memberOf(value, segment);
      else return undefined;
    }
    return value;
  };
}

function memberOf(object: FilterObject, key: string): FilterValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function refuse(why: string): never {
  throw refused(why);
}

function refused(why: string): BusError {
  return new BusError("filter", `Cannot read filter: ${why}`, {
    next: 'write it as {"path":"level","value":"error"}, $and, $or and $not around such',
  });
}
