/**
 * Shapes of what interfaces take and give, much like JSON Schema (`capabilities.md` 18): a tree of plain
 * data, checked for its depth once, and the check of a value against it.
 */
import { SCHEMA_DEPTH_MAX, SCHEMA_NODES_MAX, SCHEMA_PROBLEMS_MAX } from "./limits.ts";

/** A shape. */
export type ApiSchema =
  | { readonly kind: "any" | "null" | "boolean" }
  | { readonly kind: "string"; readonly lengthMax?: number }
  | { readonly kind: "number" | "integer"; readonly min?: number; readonly max?: number }
  | { readonly kind: "enum"; readonly words: readonly string[] }
  | { readonly kind: "array"; readonly items: ApiSchema; readonly lengthMax?: number }
  | {
    readonly kind: "object";
    readonly members: Readonly<Record<string, ApiSchema>>;
    readonly required?: readonly string[];
    /** True when members without a schema are welcome. */
    readonly isOpen?: boolean;
  }
  | { readonly kind: "one_of"; readonly options: readonly ApiSchema[] };

/** Letters of a member's name that a problem shows. */
const NAME_SHOWN_MAX = 64;

/** Something of a value that does not fit. */
export interface SchemaProblem {
  /** Way from the value's root, such as `.list[3].name`. */
  readonly path: string;
  readonly expected: string;
}

/**
 * Refuses schemas that are too deep or too large to check values with.
 *
 * @throws RangeError when there are more than 128 inside each other or 4096 in all, or an object demands
 * a member that it has no schema for.
 */
export function requireApiSchema(schema: ApiSchema): void {
  let nodes = 0;
  let level: readonly ApiSchema[] = [schema];
  for (let depth = 1; level.length > 0; depth++) {
    nodes += level.length;
    if (depth > SCHEMA_DEPTH_MAX) throw tooMuch(`nests ${depth} deep`, SCHEMA_DEPTH_MAX);
    if (nodes > SCHEMA_NODES_MAX) throw tooMuch(`has ${nodes} parts`, SCHEMA_NODES_MAX);
    const next: ApiSchema[] = [];
    for (const one of level) {
      for (const child of childrenOf(one)) next.push(child);
      if (next.length > SCHEMA_NODES_MAX) {
        throw tooMuch(`has ${next.length} parts`, SCHEMA_NODES_MAX);
      }
      if (one.kind !== "object" || one.isOpen === true) continue;
      const missing = one.required?.find((name) => !Object.hasOwn(one.members, name));
      if (missing === undefined) continue;
      throw new RangeError(
        `Cannot use schema: it demands ${JSON.stringify(missing)}, must have a schema for it`,
      );
    }
    level = next;
  }
}

/**
 * What of a value does not fit; nothing when all does. At most 16 problems are told.
 *
 * @param schema One that `requireApiSchema` lets pass.
 *
 * @example
 * ```ts
 * import { checkApiValue } from "./api_schema.ts";
 * const schema = { kind: "object", members: { age: { kind: "integer", min: 0 } } } as const;
 * console.assert(checkApiValue(schema, { age: 3 }).length === 0);
 * console.assert(checkApiValue(schema, { age: -1 })[0]?.path === ".age");
 * ```
 */
export function checkApiValue(schema: ApiSchema, value: unknown): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  check(schema, value, "", problems);
  return problems;
}

function check(schema: ApiSchema, value: unknown, path: string, problems: SchemaProblem[]): void {
  if (problems.length >= SCHEMA_PROBLEMS_MAX) return;
  switch (schema.kind) {
    case "any":
      return;
    case "array":
      checkArray(schema, value, path, problems);
      return;
    case "object":
      checkObject(schema, value, path, problems);
      return;
    case "one_of":
      if (schema.options.some((option) => checkApiValue(option, value).length === 0)) return;
      problems.push({ path, expected: "one of several shapes" });
      return;
    default:
      if (!fitsPlain(schema, value)) problems.push({ path, expected: wordsFor(schema) });
  }
}

function checkArray(
  { items, lengthMax = Infinity }: ApiSchema & { readonly kind: "array" },
  value: unknown,
  path: string,
  problems: SchemaProblem[],
): void {
  if (!Array.isArray(value) || value.length > lengthMax) {
    problems.push({ path, expected: `a list of at most ${lengthMax}` });
    return;
  }
  for (let i = 0; i < value.length && problems.length < SCHEMA_PROBLEMS_MAX; i++) {
    check(items, value[i], `${path}[${i}]`, problems);
  }
}

function checkObject(
  { members, required = [], isOpen = false }: ApiSchema & { readonly kind: "object" },
  value: unknown,
  path: string,
  problems: SchemaProblem[],
): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problems.push({ path, expected: "an object" });
    return;
  }
  for (const name of required) {
    if (!Object.hasOwn(value, name)) {
      problems.push({ path: stepInto(path, name), expected: "a value" });
    }
  }
  for (const [name, member] of Object.entries(value)) {
    if (problems.length >= SCHEMA_PROBLEMS_MAX) return;
    const schema = Object.hasOwn(members, name) ? members[name] : undefined;
    if (schema !== undefined) check(schema, member, stepInto(path, name), problems);
    else if (!isOpen) problems.push({ path: stepInto(path, name), expected: "nothing" });
  }
}

function fitsPlain(schema: ApiSchema, value: unknown): boolean {
  switch (schema.kind) {
    case "null":
      return value === null;
    case "boolean":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string" && value.length <= (schema.lengthMax ?? Infinity);
    case "enum":
      return typeof value === "string" && schema.words.includes(value);
    case "number":
    case "integer":
      return typeof value === "number" && Number.isFinite(value) &&
        (schema.kind === "number" || Number.isInteger(value)) &&
        value >= (schema.min ?? -Infinity) && value <= (schema.max ?? Infinity);
    default:
      return true;
  }
}

/** Names of members are the value's, and may be of any length. */
function stepInto(path: string, name: string): string {
  return `${path}.${name.slice(0, NAME_SHOWN_MAX)}`;
}

function wordsFor(schema: ApiSchema): string {
  switch (schema.kind) {
    case "string":
      return schema.lengthMax === undefined ? "a text" : `a text of at most ${schema.lengthMax}`;
    case "enum":
      return `one of ${schema.words.join(", ")}`;
    case "number":
    case "integer": {
      const { min, max } = schema;
      const range = min === undefined && max === undefined ? "" : ` of ${min ?? ""}..${max ?? ""}`;
      return `${schema.kind === "number" ? "a number" : "a whole number"}${range}`;
    }
    default:
      return schema.kind === "null" ? "null" : `a ${schema.kind}`;
  }
}

function childrenOf(schema: ApiSchema): readonly ApiSchema[] {
  switch (schema.kind) {
    case "array":
      return [schema.items];
    case "object":
      return Object.values(schema.members);
    case "one_of":
      return schema.options;
    default:
      return [];
  }
}

function tooMuch(what: string, most: number): RangeError {
  return new RangeError(`Cannot use schema: it ${what}, must be at most ${most}`);
}
