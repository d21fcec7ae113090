/**
 * One line of text per node of a predicate, as the reference words it (`capabilities.md` 9): traces and
 * reports of both sides can be laid beside each other.
 *
 * The syntax people write predicates in is `parse_text.ts`.
 */
import { formatTagKey } from "../tags/tag.ts";
import { formatNumber } from "./number_text.ts";
import type { Predicate } from "./predicate.ts";

// What is never shown as it is: controls, formats, surrogates, private and unassigned code points,
// separators but the space, and marks that melt with the character before.
const UNPRINTABLE = /(?! )[\p{C}\p{Z}\p{Grapheme_Extend}]/gu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\0": "\\0",
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
};

/**
 * The label of a node; of its children it says only how many they are.
 *
 * @example
 * ```ts
 * import { formatLabel } from "./label.ts";
 * const key = { axis: "hardware", key: "memory_gb" } as const;
 * const label = formatLabel({ kind: "numeric_at_least", key, threshold: 64 });
 * console.assert(label === "NumericAtLeast(hardware.memory_gb >= 64)");
 * ```
 */
export function formatLabel(predicate: Predicate): string {
  switch (predicate.kind) {
    case "exists":
      return `Exists(${formatTagKey(predicate.key)})`;
    case "equals":
      return `Equals(${formatTagKey(predicate.key)}=${predicate.value})`;
    case "numeric_at_least":
      return `NumericAtLeast(${formatTagKey(predicate.key)} >= ${
        formatNumber(predicate.threshold)
      })`;
    case "numeric_at_most":
      return `NumericAtMost(${formatTagKey(predicate.key)} <= ${
        formatNumber(predicate.threshold)
      })`;
    case "numeric_in_range": {
      const { key, min, max } = predicate;
      return `NumericInRange(${formatTagKey(key)} in [${formatNumber(min)}, ${formatNumber(max)}])`;
    }
    case "semver_at_least":
      return `SemverAtLeast(${formatTagKey(predicate.key)} >= ${predicate.version})`;
    case "semver_at_most":
      return `SemverAtMost(${formatTagKey(predicate.key)} <= ${predicate.version})`;
    case "semver_compatible":
      return `SemverCompatible(${formatTagKey(predicate.key)} ~= ${predicate.version})`;
    case "string_prefix":
      return `StringPrefix(${formatTagKey(predicate.key)} starts with ${quote(predicate.prefix)})`;
    case "string_matches":
      return `StringMatches(${formatTagKey(predicate.key)} contains ${quote(predicate.pattern)})`;
    case "metadata_exists":
      return `MetadataExists(${predicate.key})`;
    case "metadata_equals":
      return `MetadataEquals(${predicate.key}=${predicate.value})`;
    case "metadata_matches":
      return `MetadataMatches(${predicate.key} contains ${quote(predicate.pattern)})`;
    case "metadata_numeric_at_least":
      return `MetadataNumericAtLeast(${predicate.key} >= ${formatNumber(predicate.threshold)})`;
    case "and":
      return `And(${predicate.children.length} clauses)`;
    case "or":
      return `Or(${predicate.children.length} clauses)`;
    case "not":
      return "Not";
  }
}

/** A text in double quotes, escaped as the reference prints texts for debugging. */
function quote(text: string): string {
  return `"${escapeUnprintable(text.replace(/["\\]/g, "\\$&"))}"`;
}

/** The text with everything escaped that cannot be shown, or that a terminal could take for an order. */
export function escapeUnprintable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => SHORT_ESCAPES[character] ?? `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
