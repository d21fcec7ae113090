/**
 * Questions to fold entries: class, state, region and tags together (`capabilities.md` 13).
 */
import type { NodeState } from "../fold/membership.ts";
import { NODE_STATES } from "../fold/membership.ts";
import type { CapabilityIndex } from "./capability_index.ts";
import { allOf, type Condition, inPostings } from "./conditions.ts";
import type { IndexTables } from "./index_tables.ts";
import { IndexMatches, lowestMatches } from "./matches.ts";
import { type QueryOptions, staleConditions, withAnyTag, withTag } from "./query_options.ts";

/** What entries must have; what is left out is not asked for. */
export interface EntryQuery {
  readonly classHash?: bigint;
  readonly tagsAll?: readonly string[];
  /** At least one of them, when there are some. */
  readonly tagsAny?: readonly string[];
  /** At least one of each group; an empty group asks for nothing. */
  readonly tagGroupsAll?: readonly (readonly string[])[];
  readonly state?: NodeState;
  readonly region?: string;
  /** Entries at most, those with the lowest node ids; 0 for all, and when left out. */
  readonly limit?: number;
}

/**
 * Entries that satisfy a query; all when it is empty.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { CapabilityIndex } from "./capability_index.ts";
 * import { findEntries } from "./composite.ts";
 * const index = new CapabilityIndex();
 * index.set(1n, { capabilities: createCapabilitySet(["gpu"]), classHash: 7n, state: "busy" });
 * console.assert(findEntries(index, { classHash: 7n, tagsAny: ["gpu"], state: "idle" }).size === 0);
 * ```
 */
export function findEntries(
  { tables }: CapabilityIndex,
  query: EntryQuery,
  options: QueryOptions = {},
): IndexMatches {
  const slots = allOf(entryConditions(query, options, tables), tables).list();
  const { limit = 0 } = query;
  return limit > 0 && slots.size > limit
    ? lowestMatches(tables, slots, limit)
    : new IndexMatches(tables, slots);
}

function entryConditions(
  query: EntryQuery,
  options: QueryOptions,
  tables: IndexTables,
): Condition[] {
  const { classHash, state, region, tagsAll = [], tagsAny = [], tagGroupsAll = [] } = query;
  const conditions = staleConditions(options, tables);
  const add = (posting: Parameters<typeof inPostings>[0][number] | undefined) => {
    conditions.push(inPostings(posting === undefined ? [] : [posting], tables));
  };
  if (classHash !== undefined) add(tables.classes.get(classHash));
  if (state !== undefined) add(tables.states[NODE_STATES.indexOf(state)]);
  if (region !== undefined) add(tables.regions.get(region));
  for (const tag of tagsAll) conditions.push(withTag(tag, options, tables));
  if (tagsAny.length > 0) conditions.push(withAnyTag(tagsAny, options, tables));
  for (const group of tagGroupsAll) {
    if (group.length > 0) conditions.push(withAnyTag(group, options, tables));
  }
  return conditions;
}
