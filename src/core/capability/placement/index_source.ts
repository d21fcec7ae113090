/**
 * Candidates of the capability index: a tag or a number is looked up once for all of them, and asking about
 * one reads a bit or a number (`capabilities.md` 12, 16).
 */
import type { CapabilityIndex } from "../index/capability_index.ts";
import { allOf, inPostings, noneOf } from "../index/conditions.ts";
import type { Dictionary, Group, Term } from "../index/dictionary.ts";
import type { IndexTables } from "../index/index_tables.ts";
import type { Posting } from "../index/posting.ts";
import { listSlots } from "../index/slot_set.ts";
import { numberOfText } from "../predicate/number_text.ts";
import { isTagAxis } from "../tags/tag.ts";
import type { NumberOf, PlacementSource, SlotTest } from "./source.ts";

/** The entries of an index as candidates; a node in several classes is one with each of its entries. */
export interface IndexSource extends PlacementSource {
  /**
   * Places of those that have, of each of these lists of tags, at least one; by meaning. Entries from
   * before a restart are left out: nobody knows whether their nodes are still there.
   */
  slotsWith(tags: readonly (readonly string[])[]): Uint32Array;
}

/** A column for 10,000 entries takes as long as so many single readings. */
const SINGLE_READS_MAX = 512;

/**
 * Candidates of an index. The source lives as long as the index; what it prepared is of the moment, and is
 * to be prepared again once the index changed.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { CapabilityIndex } from "../index/capability_index.ts";
 * import { createIndexSource } from "./index_source.ts";
 * const index = new CapabilityIndex();
 * index.set(7n, { capabilities: createCapabilitySet(["hardware.gpu"]) });
 * const source = createIndexSource(index);
 * const [slot = -1] = source.slotsWith([["hardware.gpu", "hardware.tpu"]]);
 * console.assert(source.nodeIdOf(slot) === 7n && source.tagTest("hardware.gpu")(slot));
 * ```
 */
export function createIndexSource({ tables }: CapabilityIndex): IndexSource {
  const { table, dictionary } = tables;
  const kept = new Map<string, Float64Array>();
  let keptVersion = -1;
  return {
    slotsWith: (tags) => {
      const conditions = tags.map((list) =>
        inPostings(list.flatMap((tag) => dictionary.tagsOfMeaning(tag)), tables)
      );
      if (tables.stale.size > 0) {
        conditions.push(noneOf(inPostings([tables.stale], tables), tables));
      }
      return listSlots(allOf(conditions, tables).list());
    },
    nodeIdOf: (slot) => table.nodeIds[slot] ?? 0n,
    tagTest: (tag) => memberTest(dictionary.tagsOfMeaning(tag), tables),
    tagPrefixTest: (prefix) => memberTest(postingsBehind(prefix, dictionary), tables),
    keyTest: (key) => {
      const group = dictionary.keyGroup(key);
      return memberTest(group === undefined ? [] : [group.rows], tables);
    },
    valueTest: (key, test) => {
      const terms = dictionary.keyGroup(key)?.terms ?? [];
      const passing = terms.filter(({ value }) => value !== undefined && test(value));
      return memberTest(passing, tables);
    },
    numberOf: (key) => {
      const group = dictionary.keyGroup(key);
      return group === undefined ? () => NaN : numberReader(group, tables);
    },
    keep: (name, compute) => {
      if (keptVersion !== tables.version) kept.clear();
      keptVersion = tables.version;
      let column = kept.get(name);
      if (column === undefined) {
        kept.set(name, column = new Float64Array(table.capacity).fill(NaN));
      }
      return columnReader(column, compute);
    },
  };
}

function memberTest(postings: readonly Posting[], { table }: IndexTables): SlotTest {
  const [only] = postings;
  if (only === undefined) return () => false;
  if (postings.length === 1) return (slot) => only.has(slot);
  const flags = new Uint8Array(table.capacity);
  for (const posting of postings) {
    for (const slot of listSlots(posting.view())) flags[slot] = 1;
  }
  return (slot) => flags[slot] === 1;
}

/** Numbers of a column, computed where there is none yet. */
function columnReader(column: Float64Array, compute: NumberOf): NumberOf {
  return (slot) => {
    const known = column[slot] ?? NaN;
    return Number.isNaN(known) ? column[slot] = compute(slot) : known;
  };
}

/** Reads numbers one by one while few are asked for, then makes a column of them. */
function numberReader(group: Group, tables: IndexTables): NumberOf {
  const { rows } = tables.table;
  let column: Float64Array | undefined;
  let asked = 0;
  return (slot) => {
    if (column !== undefined) return column[slot] ?? NaN;
    asked += 1;
    if (asked > SINGLE_READS_MAX) column = numberColumn(group.terms, tables);
    let greatest = NaN;
    for (const term of rows[slot]?.terms ?? []) {
      if (term.group === group) greatest = greater(greatest, numberOfTerm(term));
    }
    return greatest;
  };
}

function numberColumn(terms: readonly Term[], { table }: IndexTables): Float64Array {
  const column = new Float64Array(table.capacity).fill(NaN);
  for (const term of terms) {
    const number = numberOfTerm(term);
    if (Number.isNaN(number)) continue;
    for (const slot of listSlots(term.view())) column[slot] = greater(column[slot] ?? NaN, number);
  }
  return column;
}

function numberOfTerm({ value }: Term): number {
  return value === undefined ? NaN : numberOfText(value);
}

/** The greater of two, of which NaN is the least. */
function greater(left: number, right: number): number {
  if (Number.isNaN(left)) return right;
  return right > left ? right : left;
}

/** Postings of all tags that begin like this. */
function postingsBehind(prefix: string, dictionary: Dictionary): readonly Posting[] {
  const isOfAxis = isTagAxis(prefix.slice(0, prefix.indexOf(".")));
  if (isOfAxis && !/[=:]/.test(prefix)) {
    const groups = [...dictionary.tagGroups()];
    return groups.filter(({ name }) => name.startsWith(prefix)).map(({ rows }) => rows);
  }
  const stem = prefix.slice(0, prefix.indexOf(":") + 1);
  // Scopes are grouped by two parts; few tags are asked for by a beginning of another kind.
  const terms = isOfAxis || stem === "" || stem === "scope:"
    ? [...dictionary.tags()]
    : [...dictionary.stemGroup(stem)?.terms ?? [], ...dictionary.tagsOfMeaning(stem)];
  return terms.filter(({ text }) => text.startsWith(prefix));
}
