/**
 * When two tags mean the same (`capabilities.md` 2): on the wire every byte counts, in meaning `=` and
 * `:` between key and value do not differ.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { cachedPerSet } from "../views/_cached_view.ts";
import { separatorAt } from "./axis_tags.ts";
import { TAG_AXES } from "./tag.ts";

/**
 * One text for all tags of the same meaning: structured tags with `=`, all others as they are.
 *
 * @example
 * ```ts
 * import { meaningOfTag } from "./tag_equality.ts";
 * console.assert(meaningOfTag("software.os:linux") === "software.os=linux");
 * console.assert(meaningOfTag("scope:global") === "scope:global");
 * ```
 */
export function meaningOfTag(text: string): string {
  // Nearly all tags are written with `=` or have no separator at all.
  if (!text.includes(":")) return text;
  for (const axis of TAG_AXES) {
    if (text[axis.length] !== "." || !text.startsWith(axis)) continue;
    const at = separatorAt(text, axis.length + 1);
    return text[at] === ":" ? `${text.slice(0, at)}=${text.slice(at + 1)}` : text;
  }
  return text;
}

/** True when two tags mean the same, whichever separator they were written with. */
export function equalTags(left: string, right: string): boolean {
  return left === right || meaningOfTag(left) === meaningOfTag(right);
}

/** True when the set has a tag of this meaning. */
export function hasTag(set: CapabilitySet, text: string): boolean {
  return meaningsOf(set).has(meaningOfTag(text));
}

/** {@linkcode hasTag} for many sets; the tag is read once. */
export function createTagTest(text: string): (set: CapabilitySet) => boolean {
  const meaning = meaningOfTag(text);
  return (set) => meaningsOf(set).has(meaning);
}

/** The meanings of a set's tags. */
export const meaningsOf: (set: CapabilitySet) => ReadonlySet<string> = cachedPerSet(
  ({ tags }) => new Set(tags.map(meaningOfTag)),
);
