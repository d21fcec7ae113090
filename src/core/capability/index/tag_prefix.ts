/** Tags that begin with a text, found through the keys they belong to where that is enough. */
import { parseTag } from "../tags/tag.ts";
import type { Dictionary, Group, Term } from "./dictionary.ts";
import type { QueryOptions } from "./query_options.ts";

/** All tags that begin alike: whole groups, and single terms of others. */
export interface TagsBehind {
  readonly groups: readonly Group[];
  readonly terms: readonly Term[];
}

/** Tags that begin with the prefix, in its other spelling too unless the core's rules hold. */
export function tagsBehind(
  prefix: string,
  { rules }: QueryOptions,
  dictionary: Dictionary,
): TagsBehind {
  const prefixes = rules === "core" ? [prefix] : [prefix, ...otherSpelling(prefix)];
  const groups: Group[] = [];
  const terms: Term[] = [];
  const begins = (text: string) => prefixes.some((start) => text.startsWith(start));
  for (const group of dictionary.tagGroups()) {
    const { name } = group;
    if (begins(name)) groups.push(group);
    else if (prefixes.some((start) => start.startsWith(name))) {
      terms.push(...group.terms.filter(({ text }) => begins(text)));
    }
  }
  for (const term of dictionary.loose) if (begins(term.text)) terms.push(term);
  return { groups, terms };
}

/** The prefix of a structured tag with a value, with the other separator. */
function otherSpelling(prefix: string): readonly string[] {
  const tag = parseTag(prefix);
  if (tag?.kind !== "value") return [];
  const separator = tag.separator === "=" ? ":" : "=";
  return [`${tag.axis}.${tag.key}${separator}${tag.value}`];
}
