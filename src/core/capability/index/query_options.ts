/** How a query is meant, and the conditions that this adds. */
import { type Condition, inPostings, noneOf } from "./conditions.ts";
import type { Term } from "./dictionary.ts";
import type { IndexTables } from "./index_tables.ts";

/** How a query is meant. */
export interface QueryOptions {
  /**
   * `net`, which is ours, when left out; `core` answers as the Rust core does: tags are compared as exact
   * text, where ours holds `software.os:linux` and `software.os=linux` to be the same.
   */
  readonly rules?: "net" | "core";
  /** Entries from before a restart; included when left out. */
  readonly stale?: "include" | "exclude" | "only";
}

/** Satisfied by entries with the tag. */
export function withTag(text: string, { rules }: QueryOptions, tables: IndexTables): Condition {
  return inPostings(termsOf(text, rules, tables), tables);
}

/** Satisfied by entries with one of the tags. */
export function withAnyTag(
  texts: readonly string[],
  { rules }: QueryOptions,
  tables: IndexTables,
): Condition {
  return inPostings(texts.flatMap((text) => termsOf(text, rules, tables)), tables);
}

function termsOf(
  text: string,
  rules: QueryOptions["rules"],
  { dictionary }: IndexTables,
): readonly Term[] {
  if (rules !== "core") return dictionary.tagsOfMeaning(text);
  const term = dictionary.tag(text);
  return term === undefined ? [] : [term];
}

/** What `stale` asks for. */
export function staleConditions({ stale }: QueryOptions, tables: IndexTables): Condition[] {
  if (stale === undefined || stale === "include") return [];
  const condition = inPostings([tables.stale], tables);
  if (stale === "only") return [condition];
  return tables.stale.size === 0 ? [] : [noneOf(condition, tables)];
}
