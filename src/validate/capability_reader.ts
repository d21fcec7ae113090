/**
 * Reads capability lists in the six forms that exist, and grades them (`validation.md` 1.2).
 *
 * Pure. A list is a stranger's: entries of the wrong type are passed over, and no more than a bounded
 * number is kept.
 */
import { asRecord, shownName } from "./verdict.ts";

/** Names of one list that are looked at. */
export const CAPABILITIES_MAX = 4096;

/** Longest name, and longest part of one, in characters; longer ones are passed over. */
const NAME_LENGTH_MAX = 256;

/** Where the method names stood. */
export type CapabilityForm =
  | "methods"
  | "provided_capabilities"
  | "capabilities"
  | "method_info"
  | "semantic_mappings"
  | "array";

/** What a list says. */
export interface CapabilityReading {
  readonly form: CapabilityForm;
  /** Each name once, in the order they stood. */
  readonly methods: readonly string[];
  /** True when there were more than {@linkcode CAPABILITIES_MAX}. */
  readonly isCut: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** Names as they stand, `undefined` when the form is not there. */
type FormReader = (result: Fields) => Iterable<string> | undefined;

/** Forms in the order they are tried; the first that is there decides. */
const FORMS: readonly (readonly [CapabilityForm, FormReader])[] = [
  ["methods", (result) => strings(result.methods)],
  ["provided_capabilities", readGroups],
  ["capabilities", (result) => strings(result.capabilities)],
  ["method_info", readMethodInfo],
  ["semantic_mappings", readMappings],
];

/** The methods of a `capabilities.list` result, `undefined` when it has none of the six forms. */
export function readCapabilities(result: unknown): CapabilityReading | undefined {
  for (const [form, names] of formsOf(result)) {
    const methods = collect(names, new Set());
    return {
      form,
      methods: [...methods].slice(0, CAPABILITIES_MAX),
      isCut: methods.size > CAPABILITIES_MAX,
    };
  }
  return undefined;
}

/**
 * Every name in any of the six forms, each once: a member may list methods in one and coarser
 * capabilities in another.
 */
export function readAdvertised(result: unknown): readonly string[] {
  const all = new Set<string>();
  for (const [, names] of formsOf(result)) collect(names, all);
  return [...all].slice(0, CAPABILITIES_MAX);
}

/** What a list says its member needs of others: texts, or objects with a `type` or `name`. */
export function readConsumed(result: unknown): readonly string[] {
  const consumed = asRecord(result)?.consumed_capabilities;
  if (!Array.isArray(consumed)) return [];
  const names = consumed.slice(0, CAPABILITIES_MAX).map((entry) =>
    typeof entry === "string" ? entry : asRecord(entry)?.type ?? asRecord(entry)?.name
  );
  return [...new Set(names.filter((name) => typeof name === "string"))];
}

function* formsOf(result: unknown): Generator<readonly [CapabilityForm, Iterable<string>]> {
  if (Array.isArray(result)) {
    const names = strings(result);
    if (names !== undefined) yield ["array", names];
    return;
  }
  const fields = asRecord(result);
  if (fields === undefined) return;
  for (const [form, read] of FORMS) {
    const names = read(fields);
    if (names !== undefined) yield [form, names];
  }
}

/** Adds names until there is one more than allowed; a stranger's list may be endless. */
function collect(names: Iterable<string>, found: Set<string>): ReadonlySet<string> {
  for (const name of names) {
    if (found.size > CAPABILITIES_MAX) break;
    found.add(name);
  }
  return found;
}

/** Methods that the list itself marks: true for read-only, false for changing something. */
export function readReadOnlyMarks(result: unknown): ReadonlyMap<string, boolean> {
  const marks = new Map<string, boolean>();
  const fields = asRecord(result) ?? {};
  for (const [name, cost] of Object.entries(asRecord(fields.cost_estimates) ?? {})) {
    const isReadOnly = asRecord(cost)?.read_only;
    if (typeof isReadOnly === "boolean") marks.set(name, isReadOnly);
  }
  if (!Array.isArray(fields.method_info)) return marks;
  for (const entry of fields.method_info.slice(0, CAPABILITIES_MAX)) {
    const { name, read_only } = asRecord(entry) ?? {};
    if (typeof name === "string" && typeof read_only === "boolean") marks.set(name, read_only);
  }
  return marks;
}

/** Facts that decide the level. */
export interface CapabilityFacts {
  /** Result of `capabilities.list`. */
  readonly list: unknown;
  readonly reading: CapabilityReading | undefined;
  /** Result of `identity.get`, `undefined` when it failed. */
  readonly identity: unknown;
  readonly notCallable: readonly string[];
  readonly isAlive: boolean;
  /** True when all three health methods passed. */
  readonly hasTriad: boolean;
  /** Name that the health methods gave. */
  readonly primal?: string;
}

/** Level 0 to 3, and why it is not higher. */
export interface CapabilityGrade {
  readonly level: 0 | 1 | 2 | 3;
  readonly reasons: readonly string[];
}

/** Grades a member's list. */
export function gradeCapabilities(facts: CapabilityFacts): CapabilityGrade {
  const { reading, list, isAlive } = facts;
  if (reading === undefined) return { level: 0, reasons: ["no readable list of capabilities"] };
  if (reading.methods.length === 0) return { level: 0, reasons: ["the list names no method"] };
  if (!isAlive) return { level: 0, reasons: ["liveness does not answer"] };
  const reasons = [...levelTwoGaps(facts, reading)];
  if (reasons.length > 0) return { level: 1, reasons };
  const fields = asRecord(list) ?? {};
  const levelThree = [
    Array.isArray(fields.provided_capabilities) || "no provided_capabilities",
    Array.isArray(fields.consumed_capabilities) || "no consumed_capabilities",
    asRecord(fields.cost_estimates) !== undefined || "no cost_estimates",
    asRecord(fields.operation_dependencies) !== undefined || "no operation_dependencies",
  ].filter((reason) => reason !== true);
  return { level: levelThree.length === 0 ? 3 : 2, reasons: levelThree };
}

function* levelTwoGaps(facts: CapabilityFacts, reading: CapabilityReading): Generator<string> {
  const { primal, version } = asRecord(facts.list) ?? {};
  const hasEnvelope = reading.form === "methods" && typeof primal === "string" &&
    typeof version === "string";
  if (!hasEnvelope) yield "the list is not an envelope of primal, version and methods";
  if (
    facts.primal !== undefined && typeof primal === "string" && shownName(primal) !== facts.primal
  ) {
    yield "the list names another primal than the health methods";
  }
  const identity = asRecord(facts.identity);
  if (identity === undefined) yield "identity.get does not answer";
  else if (identity.primal !== primal || identity.version !== version) {
    yield "identity.get names another primal or version than the list";
  }
  const undotted = reading.methods.filter((name) => !/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$/.test(name));
  if (undotted.length > 0) yield `${undotted.length} names are not dotted lower case`;
  if (facts.notCallable.length > 0) yield `${facts.notCallable.length} methods are not callable`;
  if (!facts.hasTriad) yield "not all three health methods pass";
}

/** The texts of an array; `undefined` for something else and for an array without any. */
function strings(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const names = value.filter(isName);
  return names.length === 0 && value.length > 0 ? undefined : names;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= NAME_LENGTH_MAX;
}

function readGroups(result: Fields): Iterable<string> | undefined {
  const { provided_capabilities: groups } = result;
  return Array.isArray(groups) ? namesOfGroups(groups) : undefined;
}

function* namesOfGroups(groups: readonly unknown[]): Generator<string> {
  for (const entry of groups) {
    const { type, methods } = asRecord(entry) ?? {};
    if (!isName(type)) continue;
    for (const method of strings(methods) ?? []) yield `${type}.${method}`;
  }
}

function readMethodInfo(result: Fields): readonly string[] | undefined {
  if (!Array.isArray(result.method_info)) return undefined;
  return strings(result.method_info.map((entry) => asRecord(entry)?.name));
}

function readMappings(result: Fields): Iterable<string> | undefined {
  const domains = asRecord(result.semantic_mappings);
  return domains === undefined ? undefined : namesOfMappings(domains);
}

function* namesOfMappings(domains: Fields): Generator<string> {
  for (const [domain, operations] of Object.entries(domains)) {
    if (!isName(domain)) continue;
    for (const operation of Object.keys(asRecord(operations) ?? {})) {
      if (isName(operation)) yield `${domain}.${operation}`;
    }
  }
}
