/**
 * Predicates, answered from postings (`capabilities.md` 9, `promises.md` 78).
 *
 * The answer is the one that `evaluatePredicate` gives entry by entry.
 */
import { createClauseValueTest } from "../predicate/clause.ts";
import type { Cardinality } from "../predicate/plan.ts";
import type { MetadataClause, Predicate, TagClause } from "../predicate/predicate.ts";
import { formatTagKey } from "../tags/tag.ts";
import type { CapabilityIndex } from "./capability_index.ts";
import { allOf, anyOf, type Condition, inPostings, noneOf } from "./conditions.ts";
import type { Term } from "./dictionary.ts";
import { type QueryOptions, staleConditions } from "./query_options.ts";
import { withNumber, withValue } from "./group_condition.ts";
import type { IndexTables } from "./index_tables.ts";
import { IndexMatches } from "./matches.ts";

/**
 * Entries that satisfy a predicate.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { CapabilityIndex } from "./capability_index.ts";
 * import { findByPredicate } from "./predicate_query.ts";
 * const index = new CapabilityIndex();
 * index.set(1n, { capabilities: createCapabilitySet(["hardware.memory_gb=64"]) });
 * const key = { axis: "hardware", key: "memory_gb" } as const;
 * const found = findByPredicate(index, { kind: "numeric_at_least", key, threshold: 32 });
 * console.assert(found.ids().join() === "1");
 * ```
 */
export function findByPredicate(
  { tables }: CapabilityIndex,
  predicate: Predicate,
  options: Omit<QueryOptions, "rules"> = {},
): IndexMatches {
  const conditions = [satisfying(predicate, tables), ...staleConditions(options, tables)];
  return new IndexMatches(tables, allOf(conditions, tables).list());
}

/** How many distinct values keys have among all entries, for the order in which clauses are asked. */
export function indexCardinality({ tables }: CapabilityIndex): Cardinality {
  const { dictionary } = tables;
  return {
    tagValues: (key) => dictionary.keyGroup(key)?.terms.length ?? 0,
    metadataValues: (key) => dictionary.entryGroup(key)?.terms.length ?? 0,
  };
}

/** Satisfied by entries that satisfy the predicate. */
export function satisfying(predicate: Predicate, tables: IndexTables): Condition {
  switch (predicate.kind) {
    case "and":
    case "or": {
      const conditions = predicate.children.map((child) => satisfying(child, tables));
      if (predicate.kind === "and") return allOf(conditions, tables);
      return conditions.length === 0 ? inPostings([], tables) : anyOf(conditions, tables);
    }
    case "not":
      return noneOf(satisfying(predicate.child, tables), tables);
    case "metadata_exists":
    case "metadata_equals":
    case "metadata_matches":
    case "metadata_numeric_at_least":
      return withMetadata(predicate, tables);
    default:
      return withTag(predicate, tables);
  }
}

function withTag(clause: TagClause, tables: IndexTables): Condition {
  const { dictionary } = tables;
  const group = dictionary.keyGroup(clause.key);
  switch (clause.kind) {
    case "exists":
      return inPostings(group === undefined ? [] : [group.rows], tables);
    case "equals": {
      if (group === undefined) return inPostings([], tables);
      const name = formatTagKey(clause.key);
      const terms = ["=", ":"].map((sign) => dictionary.tag(name + sign + clause.value));
      return inPostings(known(terms), tables);
    }
    case "numeric_at_least":
      return withNumber(group, clause.threshold, Infinity, tables);
    case "numeric_at_most":
      return withNumber(group, -Infinity, clause.threshold, tables);
    case "numeric_in_range":
      return withNumber(group, clause.min, clause.max, tables);
    default:
      return withValue(group, createClauseValueTest(clause) ?? (() => true), tables);
  }
}

function withMetadata(clause: MetadataClause, tables: IndexTables): Condition {
  const { dictionary } = tables;
  const group = dictionary.entryGroup(clause.key);
  switch (clause.kind) {
    case "metadata_exists":
      return inPostings(group === undefined ? [] : [group.rows], tables);
    case "metadata_equals":
      return inPostings(known([dictionary.entry(clause.key, clause.value)]), tables);
    case "metadata_numeric_at_least":
      return withNumber(group, clause.threshold, Infinity, tables);
    default:
      return withValue(group, createClauseValueTest(clause) ?? (() => true), tables);
  }
}

function known(terms: readonly (Term | undefined)[]): readonly Term[] {
  return terms.filter((term) => term !== undefined);
}
