/**
 * A question to the values of one key: asked once per distinct value that is known, or of the entries that
 * are left, whichever is less.
 */
import { type Condition, inPostings } from "./conditions.ts";
import type { Group, Term } from "./dictionary.ts";
import type { IndexTables } from "./index_tables.ts";
import { filterSlots, type SlotSet } from "./slot_set.ts";

/** Looking through the terms of an entry takes as long as asking so many values. */
const VALUES_PER_ENTRY = 2;
/** Up to here values are asked to know how many entries there are, before anything else. */
const FEW_VALUES = 16;

/** Satisfied by entries with a term of the group whose value passes. */
export function withValue(
  group: Group | undefined,
  passes: (value: string) => boolean,
  tables: IndexTables,
): Condition {
  if (group === undefined) return inPostings([], tables);
  const condition = new WithValue(group, passes, tables);
  return group.terms.length <= FEW_VALUES ? condition.known() : condition;
}

/** Satisfied by entries with a term of the group whose number is in a range, its ends included. */
export function withNumber(
  group: Group | undefined,
  min: number,
  max: number,
  tables: IndexTables,
): Condition {
  return inPostings(group?.termsBetween(min, max) ?? [], tables);
}

class WithValue implements Condition {
  readonly #group: Group;
  readonly #passes: (value: string) => boolean;
  readonly #tables: IndexTables;

  constructor(group: Group, passes: (value: string) => boolean, tables: IndexTables) {
    this.#group = group;
    this.#passes = passes;
    this.#tables = tables;
  }

  get estimate(): number {
    return this.#group.rows.size;
  }

  /** The same when all values were asked. */
  known(): Condition {
    return inPostings(this.#group.terms.filter((term) => this.#isMatch(term)), this.#tables);
  }

  list(): SlotSet {
    return this.known().list();
  }

  peek(): SlotSet {
    return this.known().peek();
  }

  narrow(left: SlotSet): SlotSet {
    return left.size * VALUES_PER_ENTRY <= this.#group.terms.length
      ? filterSlots(left, (slot) => this.test(slot))
      : this.known().narrow(left);
  }

  test(slot: number): boolean {
    for (const term of this.#tables.table.rows[slot]?.terms ?? []) {
      if (term.group === this.#group && this.#isMatch(term)) return true;
    }
    return false;
  }

  #isMatch(term: Term): boolean {
    const { value } = term;
    return value !== undefined && this.#passes(value);
  }
}
