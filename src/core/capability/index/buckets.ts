/**
 * Entries sorted into named buckets, by what they are or by what their tags say (`capabilities.md` 13).
 *
 * An entry may be in several buckets.
 */
import { NODE_STATES } from "../fold/membership.ts";
import type { TagAxis } from "../tags/tag.ts";
import { inPostings } from "./conditions.ts";
import type { Term } from "./dictionary.ts";
import type { IndexTables } from "./index_tables.ts";
import type { Posting } from "./posting.ts";
import { createSlotList, intersectSlots, listSlots, type SlotSet } from "./slot_set.ts";
import { tagsBehind } from "./tag_prefix.ts";

/** What buckets are named after. */
export type GroupBy =
  /** `0x` and hex digits; likewise `publisher`, which is the node. */
  | { readonly kind: "class" }
  | { readonly kind: "state" }
  /** `(none)` for entries without. */
  | { readonly kind: "region" }
  | { readonly kind: "publisher" }
  /** What follows a prefix and a dot, up to the next separator; `(present)` for the prefix itself. */
  | { readonly kind: "tag_stem"; readonly prefix: string }
  | { readonly kind: "tag_value"; readonly axis: TagAxis; readonly key: string };

/** Some entries under a name. */
export interface Bucket {
  readonly name: string;
  /** At least one. */
  readonly slots: SlotSet;
}

const NO_REGION = "(none)";
const PRESENT = "(present)";

/** The buckets of some entries, in no order; empty ones are left out. */
export function sortIntoBuckets(
  groupBy: GroupBy,
  within: SlotSet,
  tables: IndexTables,
): readonly Bucket[] {
  switch (groupBy.kind) {
    case "class":
      return bucketsOf(hexNamed(tables.classes), within, tables);
    case "state":
      return bucketsOf(
        tables.states.map((posting, at) => [NODE_STATES[at] ?? "", [posting]] as const),
        within,
        tables,
      );
    case "region":
      return regionBuckets(within, tables);
    case "publisher":
      return publisherBuckets(within, tables);
    case "tag_stem":
      return bucketsOf(termsByStem(groupBy.prefix, tables), within, tables);
    case "tag_value":
      return bucketsOf(
        termsByValue(tables.dictionary.keyGroup(groupBy)?.terms ?? []),
        within,
        tables,
      );
  }
}

/** Terms by their value: the same value may have been written with either separator. */
export function termsByValue(terms: readonly Term[]): ReadonlyMap<string, readonly Term[]> {
  const named = new Map<string, Term[]>();
  for (const term of terms) {
    const { value } = term;
    if (value !== undefined) addTo(named, value, term);
  }
  return named;
}

function bucketsOf(
  named: Iterable<readonly [string, readonly Posting[]]>,
  within: SlotSet,
  tables: IndexTables,
): Bucket[] {
  const buckets: Bucket[] = [];
  for (const [name, postings] of named) {
    const [only] = postings;
    const slots = only !== undefined && postings.length === 1
      ? intersectSlots(within, only.view())
      : intersectSlots(within, inPostings(postings, tables).list());
    if (slots.size > 0) buckets.push({ name, slots });
  }
  return buckets;
}

function regionBuckets(within: SlotSet, tables: IndexTables): readonly Bucket[] {
  const named = [...tables.regions].map(([name, posting]) => [name, [posting]] as const);
  const buckets = bucketsOf(named, within, tables);
  const { regions } = tables.table;
  const nowhere = listSlots(within).filter((slot) => regions[slot] === undefined);
  if (nowhere.length === 0) return buckets;
  // A region may be called so itself.
  const same = buckets.findIndex(({ name }) => name === NO_REGION);
  const slots = [...nowhere, ...same === -1 ? [] : listSlots(buckets[same]?.slots ?? within)];
  const bucket = { name: NO_REGION, slots: createSlotList(Uint32Array.from(slots).sort()) };
  return [...buckets.filter(({ name }) => name !== NO_REGION), bucket];
}

function publisherBuckets(within: SlotSet, { table }: IndexTables): readonly Bucket[] {
  const bySlot = new Map<bigint, number[]>();
  for (const slot of listSlots(within)) addTo(bySlot, table.nodeIds[slot] ?? 0n, slot);
  return [...bySlot].map(([nodeId, slots]) => ({
    name: hexName(nodeId),
    slots: createSlotList(Uint32Array.from(slots)),
  }));
}

function termsByStem(prefix: string, { dictionary }: IndexTables): ReadonlyMap<string, Term[]> {
  const { groups, terms } = tagsBehind(prefix, { rules: "core" }, dictionary);
  const named = new Map<string, Term[]>();
  for (const term of [...groups.flatMap((group) => group.terms), ...terms]) {
    const stem = stemBehind(term.text, prefix);
    if (stem !== undefined) addTo(named, stem, term);
  }
  return named;
}

function stemBehind(text: string, prefix: string): string | undefined {
  const rest = text.slice(prefix.length);
  if (rest === "") return PRESENT;
  if (!rest.startsWith(".")) return undefined;
  const [stem = ""] = rest.slice(1).split(/[.=:]/, 1);
  return stem === "" ? undefined : stem;
}

function* hexNamed(
  postings: ReadonlyMap<bigint, Posting>,
): Generator<readonly [string, readonly Posting[]]> {
  for (const [id, posting] of postings) yield [hexName(id), [posting]];
}

function hexName(id: bigint): string {
  return `0x${id.toString(16)}`;
}

function addTo<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
