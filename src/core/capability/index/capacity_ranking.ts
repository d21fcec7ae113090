/** Where there is how much to be had: buckets of entries by how many are available (`capabilities.md` 13). */
import { compareUtf8 } from "../capability_set.ts";
import { NODE_STATES } from "../fold/membership.ts";
import type { RttOf } from "../query/operators.ts";
import { sumOfNumbers } from "./aggregation.ts";
import { type Bucket, type GroupBy, sortIntoBuckets } from "./buckets.ts";
import type { CapabilityIndex } from "./capability_index.ts";
import { allOf, inColumn, inPostings, noneOf } from "./conditions.ts";
import type { IndexTables } from "./index_tables.ts";
import type { Posting } from "./posting.ts";
import { type QueryOptions, staleConditions } from "./query_options.ts";
import { countCommonSlots } from "./slot_set.ts";
import { matching, splitAxisKey, type TagMatcher } from "./tag_matcher.ts";

/** What to rank. */
export interface CapacityQuery {
  /** All entries when left out. */
  readonly matcher?: TagMatcher;
  /** By class when left out. */
  readonly groupBy?: GroupBy;
  /** `axis.key` of tags whose numbers are summed. */
  readonly sumAxisKey?: string;
  /** Nodes further away, or nobody knows how far, are left out. */
  readonly maxRttMs?: number;
  /** Rows at most; 0 for all, and when left out. */
  readonly limit?: number;
}

/** One bucket; faulty entries are in none. */
export interface CapacityRow {
  readonly bucket: string;
  readonly idle: number;
  readonly busy: number;
  readonly reserved: number;
  /** All three. */
  readonly available: number;
  /** `undefined` when no sum was asked for. */
  readonly summedCapacity: bigint | undefined;
}

/**
 * Buckets by how many entries are available, the most first; equal ones in the order of their names.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { CapabilityIndex } from "./capability_index.ts";
 * import { rankCapacity } from "./capacity_ranking.ts";
 * const index = new CapabilityIndex();
 * index.set(1n, { capabilities: createCapabilitySet(["gpu"]), region: "eu", state: "busy" });
 * const [row] = rankCapacity(index, { groupBy: { kind: "region" } }, () => undefined);
 * console.assert(row?.bucket === "eu" && row.busy === 1);
 * ```
 */
export function rankCapacity(
  { tables }: CapabilityIndex,
  query: CapacityQuery,
  rttOf: RttOf,
  options: QueryOptions = {},
): readonly CapacityRow[] {
  const { matcher, groupBy = { kind: "class" }, maxRttMs, limit = 0 } = query;
  const { table, states } = tables;
  const faulty = states.slice(NODE_STATES.indexOf("faulty"));
  const conditions = staleConditions(options, tables);
  if (matcher !== undefined) conditions.push(matching(matcher, options, tables));
  conditions.push(noneOf(inPostings(faulty, tables), tables));
  if (maxRttMs !== undefined) {
    const isNear = (slot: number) => (rttOf(table.nodeIds[slot] ?? 0n) ?? Infinity) <= maxRttMs;
    conditions.push(inColumn(tables.all, isNear));
  }
  const within = allOf(conditions, tables).list();
  const rows = sortIntoBuckets(groupBy, within, tables)
    .map((bucket) => rowOf(bucket, query, tables))
    .sort((left, right) =>
      right.available - left.available || compareUtf8(left.bucket, right.bucket)
    );
  return limit > 0 ? rows.slice(0, limit) : rows;
}

function rowOf({ name, slots }: Bucket, query: CapacityQuery, tables: IndexTables): CapacityRow {
  const [idle = 0, busy = 0, reserved = 0] = tables.states.map((posting: Posting) =>
    countCommonSlots(slots, posting.view())
  );
  const key = splitAxisKey(query.sumAxisKey ?? "");
  return {
    bucket: name,
    idle,
    busy,
    reserved,
    available: slots.size,
    summedCapacity: key === undefined
      ? undefined
      : sumOfNumbers(tables.dictionary.keyGroup(key), slots, tables),
  };
}
