/** One number per bucket of entries (`capabilities.md` 13). */
import { compareUtf8 } from "../capability_set.ts";
import { unsignedOfText } from "../predicate/number_text.ts";
import type { TagAxis } from "../tags/tag.ts";
import { type Bucket, type GroupBy, sortIntoBuckets, termsByValue } from "./buckets.ts";
import type { CapabilityIndex } from "./capability_index.ts";
import { allOf } from "./conditions.ts";
import type { Group, Term } from "./dictionary.ts";
import type { IndexTables } from "./index_tables.ts";
import { type QueryOptions, staleConditions } from "./query_options.ts";
import { countCommonSlots, listSlots, type SlotSet } from "./slot_set.ts";
import { matching, splitAxisKey, type TagMatcher } from "./tag_matcher.ts";

/** What is counted; tags whose value is no unsigned 64-bit integer do not count as numbers. */
export type Aggregation =
  /** Entries. */
  | { readonly kind: "count" }
  /** Nodes. */
  | { readonly kind: "distinct_publishers" }
  | { readonly kind: "distinct_values"; readonly axis: TagAxis; readonly key: string }
  /** Of all tags `axis.key` with a number; 0 when there is none, and at most 2^64 - 1. */
  | {
    readonly kind: "sum_numeric_tag" | "min_numeric_tag" | "max_numeric_tag";
    /** `axis.key`. */
    readonly axis_key: string;
  };

/** What to aggregate. */
export interface AggregationQuery {
  /** All entries when left out. */
  readonly matcher?: TagMatcher;
  /** By class when left out. */
  readonly groupBy?: GroupBy;
  readonly aggregation: Aggregation;
}

/** One bucket's number. */
export interface AggregationRow {
  readonly bucket: string;
  readonly value: bigint;
}

const U64_MAX = (1n << 64n) - 1n;
/** Looking through the terms of an entry takes as long as so many looks into postings. */
const LOOKS_PER_ENTRY = 4;

/**
 * Aggregates entries; rows come in the order of their buckets, and empty buckets are left out.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { aggregate } from "./aggregation.ts";
 * import { CapabilityIndex } from "./capability_index.ts";
 * const index = new CapabilityIndex();
 * index.set(1n, { capabilities: createCapabilitySet(["hardware.memory_gb=64"]), region: "eu" });
 * const [row] = aggregate(index, {
 *   groupBy: { kind: "region" },
 *   aggregation: { kind: "sum_numeric_tag", axis_key: "hardware.memory_gb" },
 * });
 * console.assert(row?.bucket === "eu" && row.value === 64n);
 * ```
 */
export function aggregate(
  { tables }: CapabilityIndex,
  query: AggregationQuery,
  options: QueryOptions = {},
): readonly AggregationRow[] {
  const { matcher, groupBy = { kind: "class" }, aggregation } = query;
  const conditions = staleConditions(options, tables);
  if (matcher !== undefined) conditions.push(matching(matcher, options, tables));
  const within = allOf(conditions, tables).list();
  return sortIntoBuckets(groupBy, within, tables)
    .map((bucket) => ({ bucket: bucket.name, value: valueOf(bucket, aggregation, tables) }))
    .sort((left, right) => compareUtf8(left.bucket, right.bucket));
}

/** The sum of all numbers of a key among some entries. */
export function sumOfNumbers(
  group: Group | undefined,
  slots: SlotSet,
  tables: IndexTables,
): bigint {
  let sum = 0n;
  for (const [number, count] of numbersOf(group, slots, tables)) sum += number * BigInt(count);
  return sum < U64_MAX ? sum : U64_MAX;
}

function valueOf({ slots }: Bucket, aggregation: Aggregation, tables: IndexTables): bigint {
  const { dictionary, table } = tables;
  switch (aggregation.kind) {
    case "count":
      return BigInt(slots.size);
    case "distinct_publishers": {
      if (!table.hasSharedNodes) return BigInt(slots.size);
      const nodes = new Set<bigint>();
      for (const slot of listSlots(slots)) nodes.add(table.nodeIds[slot] ?? 0n);
      return BigInt(nodes.size);
    }
    case "distinct_values": {
      const terms: Term[] = [];
      for (const [term] of tally(dictionary.keyGroup(aggregation), slots, tables)) terms.push(term);
      return BigInt(termsByValue(terms).size);
    }
    default: {
      const key = splitAxisKey(aggregation.axis_key);
      const group = key === undefined ? undefined : dictionary.keyGroup(key);
      if (aggregation.kind === "sum_numeric_tag") return sumOfNumbers(group, slots, tables);
      const isMin = aggregation.kind === "min_numeric_tag";
      let extreme: bigint | undefined;
      for (const [number] of numbersOf(group, slots, tables)) {
        if (extreme === undefined || (isMin ? number < extreme : number > extreme)) {
          extreme = number;
        }
      }
      return extreme ?? 0n;
    }
  }
}

function* numbersOf(
  group: Group | undefined,
  slots: SlotSet,
  tables: IndexTables,
): Generator<readonly [number: bigint, count: number]> {
  for (const [term, count] of tally(group, slots, tables)) {
    const number = term.value === undefined ? undefined : unsignedOfText(term.value);
    if (number !== undefined) yield [BigInt(number), count];
  }
}

/** Terms of a key that some of the entries have, and how many have them. */
function tally(
  group: Group | undefined,
  slots: SlotSet,
  { table }: IndexTables,
): Iterable<readonly [Term, number]> {
  if (group === undefined) return [];
  const counts = new Map<Term, number>();
  if (group.terms.length > slots.size * LOOKS_PER_ENTRY) {
    for (const slot of listSlots(slots)) {
      for (const term of table.rows[slot]?.terms ?? []) {
        if (term.group === group) counts.set(term, (counts.get(term) ?? 0) + 1);
      }
    }
    return counts;
  }
  for (const term of group.terms) {
    const count = countCommonSlots(slots, term.view());
    if (count > 0) counts.set(term, count);
  }
  return counts;
}
