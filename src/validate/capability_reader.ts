/**
 * Reads capability lists in the six forms that exist, and grades them (`validation.md` 1.2).
 *
 * Pure. A list is a stranger's: entries of the wrong type are passed over, and no more than a bounded
 * number is kept.
 */
import { asRecord } from "./verdict.ts";

/** Methods of one list that are looked at. */
export const CAPABILITIES_MAX = 4096;

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
}

type Fields = Readonly<Record<string, unknown>>;

/** Forms in the order they are tried; the first that is there decides. */
const FORMS:
  readonly (readonly [CapabilityForm, (result: Fields) => readonly string[] | undefined])[] = [
    ["methods", (result) => strings(result.methods)],
    ["provided_capabilities", readGroups],
    ["capabilities", (result) => strings(result.capabilities)],
    ["method_info", readMethodInfo],
    ["semantic_mappings", readMappings],
  ];

/** The methods of a `capabilities.list` result, `undefined` when it has none of the six forms. */
export function readCapabilities(result: unknown): CapabilityReading | undefined {
  if (Array.isArray(result)) {
    const methods = strings(result);
    return methods === undefined ? undefined : { form: "array", methods: unique(methods) };
  }
  const fields = asRecord(result);
  if (fields === undefined) return undefined;
  for (const [form, read] of FORMS) {
    const methods = read(fields);
    if (methods !== undefined) return { form, methods: unique(methods) };
  }
  return undefined;
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

function strings(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const names = value.slice(0, CAPABILITIES_MAX).filter((name) => typeof name === "string");
  return names.length === 0 && value.length > 0 ? undefined : names;
}

function readGroups(result: Fields): readonly string[] | undefined {
  if (!Array.isArray(result.provided_capabilities)) return undefined;
  const names: string[] = [];
  for (const entry of result.provided_capabilities.slice(0, CAPABILITIES_MAX)) {
    const group = asRecord(entry);
    if (typeof group?.type !== "string") continue;
    for (const method of strings(group.methods) ?? []) names.push(`${group.type}.${method}`);
  }
  return names;
}

function readMethodInfo(result: Fields): readonly string[] | undefined {
  if (!Array.isArray(result.method_info)) return undefined;
  return strings(result.method_info.map((entry) => asRecord(entry)?.name));
}

function readMappings(result: Fields): readonly string[] | undefined {
  const domains = asRecord(result.semantic_mappings);
  if (domains === undefined) return undefined;
  return Object.entries(domains).flatMap(([domain, operations]) =>
    Object.keys(asRecord(operations) ?? {}).map((operation) => `${domain}.${operation}`)
  );
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)].slice(0, CAPABILITIES_MAX);
}
