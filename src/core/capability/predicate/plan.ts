/**
 * In which order the children of `and` and `or` are asked: cheap ones first, and of several equal ones
 * only one (`capabilities.md` 9, `promises.md` 81). The answer does not depend on it.
 */
import { formatTagKey, type TagKey } from "../tags/tag.ts";
import { type Clause, isClause, isMetadataClause } from "./clause.ts";
import type { Predicate } from "./predicate.ts";

/** Knows how many distinct values a key has among all candidates; 0 when it does not know. */
export interface Cardinality {
  tagValues(key: TagKey): number;
  metadataValues(key: string): number;
}

/** What the children are put together with. */
export type Composition = "and" | "or";

const U32_MAX = 0xffff_ffff;

const COSTS = {
  metadata_exists: 10,
  metadata_equals: 11,
  exists: 20,
  equals: 21,
  metadata_numeric_at_least: 25,
  numeric_at_least: 30,
  numeric_at_most: 30,
  numeric_in_range: 30,
  string_prefix: 40,
  metadata_matches: 45,
  string_matches: 50,
  semver_at_least: 60,
  semver_at_most: 60,
  semver_compatible: 60,
} as const satisfies Record<Clause["kind"], number>;

/**
 * What asking costs, in no unit.
 *
 * Many distinct values make a clause likely false: it comes earlier in an `and` and later in an `or`.
 *
 * @param composition What the predicate is a child of.
 */
export function costOf(
  predicate: Predicate,
  composition: Composition,
  cardinality?: Cardinality,
): number {
  if (isClause(predicate)) return clauseCost(predicate, composition, cardinality);
  if (predicate.kind === "not") return costOf(predicate.child, composition, cardinality);
  const { kind, children } = predicate;
  const sum = children.reduce((total, child) => total + costOf(child, kind, cardinality), 0);
  return Math.min(sum, U32_MAX);
}

/** Children in ascending order of cost; equally dear ones keep their order. */
export function orderByCost(
  children: readonly Predicate[],
  composition: Composition,
  cardinality?: Cardinality,
): readonly Predicate[] {
  const costs = new Map(
    children.map((child) => [child, costOf(child, composition, cardinality)] as const),
  );
  return [...children].sort((left, right) => (costs.get(left) ?? 0) - (costs.get(right) ?? 0));
}

/** Leaves out children equal to an earlier one: asking again gives the same. */
export function mergeEqual(children: readonly Predicate[]): readonly Predicate[] {
  const seen = new Set<string>();
  return children.filter((child) => {
    const identity = identityOf(child);
    if (seen.has(identity)) return false;
    seen.add(identity);
    return true;
  });
}

function clauseCost(clause: Clause, composition: Composition, cardinality?: Cardinality): number {
  const cost = COSTS[clause.kind];
  if (cardinality === undefined) return cost;
  const values = isMetadataClause(clause)
    ? cardinality.metadataValues(clause.key)
    : cardinality.tagValues(clause.key);
  if (values <= 0) return cost;
  return composition === "and" ? Math.floor(cost / values) : Math.min(cost * values, U32_MAX);
}

/** The same text for the same question, another for another. */
function identityOf(predicate: Predicate): string {
  switch (predicate.kind) {
    case "and":
    case "or":
      return `${predicate.kind}[${predicate.children.map(identityOf).join()}]`;
    case "not":
      return `not[${identityOf(predicate.child)}]`;
    default:
      return JSON.stringify([predicate.kind, subjectOf(predicate), ...constantsOf(predicate)]);
  }
}

function subjectOf(clause: Clause): string {
  return isMetadataClause(clause) ? clause.key : formatTagKey(clause.key);
}

function constantsOf(clause: Clause): readonly string[] {
  if ("value" in clause) return [clause.value];
  if ("threshold" in clause) return [String(clause.threshold)];
  if ("min" in clause) return [String(clause.min), String(clause.max)];
  if ("version" in clause) return [clause.version];
  if ("prefix" in clause) return [clause.prefix];
  return "pattern" in clause ? [clause.pattern] : [];
}
