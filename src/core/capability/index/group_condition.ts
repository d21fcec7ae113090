/**
 * A question to the values of one key: asked once per distinct value that is known, or once per entry that
 * is left, whichever is less.
 */
import { type Condition, inPostings } from "./conditions.ts";
import type { Group, Term } from "./dictionary.ts";
import type { IndexTables } from "./index_tables.ts";

/** A test of a slot looks through all terms of an entry, which takes as long as this many others. */
const TESTS_PER_ENTRY = 8;

/** Satisfied by entries with a term of the group whose value passes. */
export function withValue(
  group: Group | undefined,
  passes: (value: string) => boolean,
  tables: IndexTables,
): Condition {
  if (group === undefined) return inPostings([], tables);
  const { rows } = tables.table;
  const isMatch = (term: Term) => {
    const { value } = term;
    return value !== undefined && passes(value);
  };
  return {
    estimate: group.rows.size,
    cost: (group.terms.length + group.rows.size) / TESTS_PER_ENTRY,
    list: () => inPostings(group.terms.filter(isMatch), tables).list(),
    test: (slot) => {
      for (const term of rows[slot]?.terms ?? []) {
        if (term.group === group && isMatch(term)) return true;
      }
      return false;
    },
  };
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
