/**
 * What is asked of an entry, as something that can list the slots that satisfy it, take them out of a set,
 * and test one slot.
 *
 * Of several conditions that must all hold, the one with the fewest candidates is listed first, and each
 * other one narrows what is left. Whether it lists its own slots for that or tests those that are left is
 * its own choice.
 */
import type { IndexTables } from "./index_tables.ts";
import type { NumberPostings } from "./number_postings.ts";
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
  /** The slots that satisfy it; a set of their own. */
  list(): SlotSet;
  /** The same for use at once: the next change of the index may show in it. */
  peek(): SlotSet;
  /** Members of `left`, which are slots in use, that satisfy it. */
  narrow(left: SlotSet): SlotSet;
  /** True when a slot in use satisfies it. */
  test(slot: number): boolean;
}

/** Looking for a slot in a posting takes as long as this many words of bits. */
const WORDS_PER_LOOK = 4;

/** Satisfied by the members of at least one posting. */
export function inPostings(postings: readonly Posting[], tables: IndexTables): Condition {
  const [only] = postings;
  if (only !== undefined && postings.length === 1) return new InPosting(only);
  return new InPostings(postings, tables);
}

/** Satisfied by entries whose number in a column is not below `least`, which is above 0. */
export function atLeast(numbers: NumberPostings, column: Float64Array, least: number): Condition {
  return new AtLeast(numbers.atLeast(least), column, least);
}

/** Satisfied by members of a posting that pass a test. */
export function inColumn(candidates: Posting, test: (slot: number) => boolean): Condition {
  return new InColumn(candidates, test);
}

/** Satisfied by those that satisfy all; by everything when there is none. */
export function allOf(conditions: readonly Condition[], tables: IndexTables): Condition {
  const [only] = conditions;
  if (only === undefined) return new InPosting(tables.all);
  return conditions.length === 1 ? only : new AllOf(conditions);
}

/** Satisfied by those that satisfy at least one. */
export function anyOf(conditions: readonly Condition[], tables: IndexTables): Condition {
  const [only] = conditions;
  return only !== undefined && conditions.length === 1 ? only : new AnyOf(conditions, tables);
}

/** Satisfied by those that do not satisfy it. */
export function noneOf(condition: Condition, tables: IndexTables): Condition {
  return new NoneOf(condition, tables);
}

class InPosting implements Condition {
  readonly #posting: Posting;

  constructor(posting: Posting) {
    this.#posting = posting;
  }

  get estimate(): number {
    return this.#posting.size;
  }

  list(): SlotSet {
    return copySlots(this.#posting.view());
  }

  peek(): SlotSet {
    return this.#posting.view();
  }

  narrow(left: SlotSet): SlotSet {
    return intersectSlots(left, this.#posting.view());
  }

  test(slot: number): boolean {
    return this.#posting.has(slot);
  }
}

class InPostings implements Condition {
  readonly estimate: number;
  /** What listing costs, in words of bits. */
  readonly #cost: number;
  readonly #postings: readonly Posting[];

  constructor(postings: readonly Posting[], { all, table }: IndexTables) {
    let total = 0;
    for (const { size } of postings) total += size;
    this.#postings = postings;
    this.estimate = Math.min(total, all.size);
    this.#cost = Math.min(total, postings.length * (table.capacity >>> 5));
  }

  list(): SlotSet {
    return listPostings(this.#postings);
  }

  peek(): SlotSet {
    return this.list();
  }

  narrow(left: SlotSet): SlotSet {
    const looks = left.size * this.#postings.length;
    return looks * WORDS_PER_LOOK <= this.#cost
      ? filterSlots(left, (slot) => this.test(slot))
      : intersectSlots(left, this.list());
  }

  test(slot: number): boolean {
    for (const posting of this.#postings) if (posting.has(slot)) return true;
    return false;
  }
}

class AtLeast implements Condition {
  readonly estimate: number;
  readonly #postings: readonly Posting[];
  readonly #column: Float64Array;
  readonly #least: number;

  constructor(postings: readonly Posting[], column: Float64Array, least: number) {
    let total = 0;
    for (const { size } of postings) total += size;
    this.estimate = total;
    this.#postings = postings;
    this.#column = column;
    this.#least = least;
  }

  list(): SlotSet {
    return listPostings(this.#postings);
  }

  peek(): SlotSet {
    return this.list();
  }

  narrow(left: SlotSet): SlotSet {
    const words = this.#postings.length * (this.#column.length >>> 5);
    return left.size <= Math.min(words, this.estimate)
      ? filterSlots(left, (slot) => this.test(slot))
      : intersectSlots(left, this.list());
  }

  test(slot: number): boolean {
    return (this.#column[slot] ?? 0) >= this.#least;
  }
}

class InColumn implements Condition {
  readonly #candidates: Posting;
  readonly #test: (slot: number) => boolean;

  constructor(candidates: Posting, test: (slot: number) => boolean) {
    this.#candidates = candidates;
    this.#test = test;
  }

  get estimate(): number {
    return this.#candidates.size;
  }

  list(): SlotSet {
    return filterSlots(this.#candidates.view(), this.#test);
  }

  peek(): SlotSet {
    return this.list();
  }

  narrow(left: SlotSet): SlotSet {
    return filterSlots(left, (slot) => this.test(slot));
  }

  test(slot: number): boolean {
    return this.#candidates.has(slot) && this.#test(slot);
  }
}

class AllOf implements Condition {
  readonly estimate: number;
  readonly #ordered: readonly Condition[];

  constructor(conditions: readonly Condition[]) {
    // Sorted here, because there are few.
    const ordered = conditions.slice();
    for (let i = 1; i < ordered.length; i++) {
      for (let at = i; at > 0; at--) {
        const [before, after] = [ordered[at - 1], ordered[at]];
        if (before === undefined || after === undefined || before.estimate <= after.estimate) break;
        ordered[at - 1] = after;
        ordered[at] = before;
      }
    }
    this.#ordered = ordered;
    this.estimate = this.#ordered[0]?.estimate ?? 0;
  }

  list(): SlotSet {
    const ordered = this.#ordered;
    let left = ordered[0]?.peek() ?? EMPTY_SLOTS;
    for (let i = 1; i < ordered.length && left.size > 0; i++) {
      left = ordered[i]?.narrow(left) ?? EMPTY_SLOTS;
    }
    return left.size === 0 ? EMPTY_SLOTS : left;
  }

  peek(): SlotSet {
    return this.list();
  }

  narrow(left: SlotSet): SlotSet {
    let narrowed = left;
    for (const condition of this.#ordered) narrowed = condition.narrow(narrowed);
    return narrowed;
  }

  test(slot: number): boolean {
    return this.#ordered.every((condition) => condition.test(slot));
  }
}

class AnyOf implements Condition {
  readonly estimate: number;
  readonly #conditions: readonly Condition[];

  constructor(conditions: readonly Condition[], { all }: IndexTables) {
    const sum = conditions.reduce((total, { estimate }) => total + estimate, 0);
    this.#conditions = conditions;
    this.estimate = Math.min(sum, all.size);
  }

  list(): SlotSet {
    return uniteSlots(this.#conditions.map((condition) => condition.peek()));
  }

  peek(): SlotSet {
    return this.list();
  }

  narrow(left: SlotSet): SlotSet {
    return uniteSlots(this.#conditions.map((condition) => condition.narrow(left)));
  }

  test(slot: number): boolean {
    return this.#conditions.some((condition) => condition.test(slot));
  }
}

class NoneOf implements Condition {
  readonly #condition: Condition;
  readonly #all: Posting;

  constructor(condition: Condition, { all }: IndexTables) {
    this.#condition = condition;
    this.#all = all;
  }

  get estimate(): number {
    return this.#all.size;
  }

  list(): SlotSet {
    return subtractSlots(this.#all.view(), this.#condition.peek());
  }

  peek(): SlotSet {
    return this.list();
  }

  narrow(left: SlotSet): SlotSet {
    return subtractSlots(left, this.#condition.narrow(left));
  }

  test(slot: number): boolean {
    return !this.#condition.test(slot);
  }
}

function listPostings(postings: readonly Posting[]): SlotSet {
  const views: SlotSet[] = [];
  for (const posting of postings) if (posting.size > 0) views.push(posting.view());
  return views.length === 0 ? EMPTY_SLOTS : uniteSlots(views);
}
