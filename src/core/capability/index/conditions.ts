/**
 * What is asked of an entry, as something that can both list the slots that satisfy it and test one slot.
 *
 * Of several conditions that must all hold, the one with the fewest candidates is listed first; each other
 * one is then listed or tested on what is left, whichever is cheaper.
 */
import type { IndexTables } from "./index_tables.ts";
import type { Posting } from "./posting.ts";
import {
  copySlots,
  EMPTY_SLOTS,
  filterSlots,
  intersectSlots,
  type SlotSet,
  subtractSlots,
  uniteSlots,
} from "./slot_set.ts";

/** Something asked of an entry. */
export interface Condition {
  /** Entries that satisfy it, at most. */
  readonly estimate: number;
  /** What listing costs, in tests of a slot. */
  readonly cost: number;
  /** The slots that satisfy it; a set of their own. */
  list(): SlotSet;
  /** True when a slot in use satisfies it. */
  test(slot: number): boolean;
}

/** A bit operation on a word takes about a quarter of a test. */
const WORDS_PER_TEST = 4;

/** Satisfied by the members of at least one posting. */
export function inPostings(postings: readonly Posting[], tables: IndexTables): Condition {
  const { size } = tables.all;
  const total = postings.reduce((sum, posting) => sum + posting.size, 0);
  return {
    estimate: Math.min(total, size),
    cost: listingCost(postings.length, total, tables),
    list: () => listPostings(postings),
    test: (slot) => {
      for (const posting of postings) if (posting.has(slot)) return true;
      return false;
    },
  };
}

/** Satisfied by members of a posting that pass a test. */
export function inColumn(
  tables: IndexTables,
  candidates: Posting,
  test: (slot: number) => boolean,
): Condition {
  return {
    estimate: candidates.size,
    cost: candidates.size + listingCost(1, candidates.size, tables),
    list: () => filterSlots(candidates.view(), test),
    test: (slot) => candidates.has(slot) && test(slot),
  };
}

/** Satisfied by every entry. */
export function everything(tables: IndexTables): Condition {
  return {
    estimate: tables.all.size,
    cost: listingCost(1, tables.all.size, tables),
    list: () => copySlots(tables.all.view()),
    test: () => true,
  };
}

/** Satisfied by those that satisfy all; by everything when there is none. */
export function allOf(conditions: readonly Condition[], tables: IndexTables): Condition {
  const [only] = conditions;
  if (only === undefined) return everything(tables);
  if (conditions.length === 1) return only;
  const ordered = [...conditions].sort((left, right) => left.estimate - right.estimate);
  return {
    estimate: ordered[0]?.estimate ?? 0,
    cost: ordered[0]?.cost ?? 0,
    list: () => {
      let left: SlotSet | undefined;
      for (const condition of ordered) {
        if (left === undefined) left = condition.list();
        else if (left.size === 0) break;
        else if (left.size <= condition.cost) {
          left = filterSlots(left, (slot) => condition.test(slot));
        } else left = intersectSlots(left, condition.list());
      }
      return left ?? EMPTY_SLOTS;
    },
    test: (slot) => ordered.every((condition) => condition.test(slot)),
  };
}

/** Satisfied by those that satisfy at least one. */
export function anyOf(conditions: readonly Condition[], tables: IndexTables): Condition {
  const [only] = conditions;
  if (only !== undefined && conditions.length === 1) return only;
  const sum = conditions.reduce((total, { estimate }) => total + estimate, 0);
  return {
    estimate: Math.min(sum, tables.all.size),
    cost: conditions.reduce((total, { cost }) => total + cost, 0),
    list: () => uniteSlots(conditions.map((condition) => condition.list())),
    test: (slot) => conditions.some((condition) => condition.test(slot)),
  };
}

/** Satisfied by those that do not satisfy it. */
export function noneOf(condition: Condition, tables: IndexTables): Condition {
  return {
    estimate: tables.all.size,
    cost: condition.cost + listingCost(1, tables.all.size, tables),
    list: () => subtractSlots(tables.all.view(), condition.list()),
    test: (slot) => !condition.test(slot),
  };
}

/** Tests that listing some postings with so many members is worth. */
function listingCost(postings: number, total: number, { table }: IndexTables): number {
  const words = postings * (table.capacity >>> 5);
  return Math.min(total, words) / WORDS_PER_TEST;
}

function listPostings(postings: readonly Posting[]): SlotSet {
  const [only] = postings;
  if (only === undefined) return EMPTY_SLOTS;
  return postings.length === 1 ? copySlots(only.view()) : uniteSlots(postings.map((p) => p.view()));
}
