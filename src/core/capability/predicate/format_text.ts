/** Writes a predicate as `parse_text.ts` reads it, so that reading gives the same tree again. */
import type { TagKey } from "../tags/tag.ts";
import { isBareValue, isWord } from "./_text_cursor.ts";
import { formatNumber } from "./number_text.ts";
import { METADATA_AXIS } from "./parse_text.ts";
import type { Predicate } from "./predicate.ts";

/**
 * The text of a predicate.
 *
 * @throws RangeError when a number is not finite or a text holds half a surrogate pair.
 *
 * @example
 * ```ts
 * import { formatPredicate } from "./format_text.ts";
 * const text = formatPredicate({ kind: "metadata_equals", key: "owner", value: "ada" });
 * console.assert(text === "meta.owner==ada");
 * ```
 */
export function formatPredicate(predicate: Predicate): string {
  switch (predicate.kind) {
    case "exists":
      return formatKey(predicate.key);
    case "equals":
      return `${formatKey(predicate.key)}==${formatText(predicate.value)}`;
    case "numeric_at_least":
      return `${formatKey(predicate.key)}>=${formatFinite(predicate.threshold)}`;
    case "numeric_at_most":
      return `${formatKey(predicate.key)}<=${formatFinite(predicate.threshold)}`;
    case "numeric_in_range": {
      const { key, min, max } = predicate;
      return `${formatKey(key)} in [${formatFinite(min)}, ${formatFinite(max)}]`;
    }
    case "semver_at_least":
      return `${formatKey(predicate.key)}>=${formatVersion(predicate.version)}`;
    case "semver_at_most":
      return `${formatKey(predicate.key)}<=${formatVersion(predicate.version)}`;
    case "semver_compatible":
      return `${formatKey(predicate.key)}~=${formatVersion(predicate.version)}`;
    case "string_prefix":
      return `${formatKey(predicate.key)}^=${formatText(predicate.prefix)}`;
    case "string_matches":
      return `${formatKey(predicate.key)}*=${formatText(predicate.pattern)}`;
    case "metadata_exists":
      return formatKey(predicate.key);
    case "metadata_equals":
      return `${formatKey(predicate.key)}==${formatText(predicate.value)}`;
    case "metadata_matches":
      return `${formatKey(predicate.key)}*=${formatText(predicate.pattern)}`;
    case "metadata_numeric_at_least":
      return `${formatKey(predicate.key)}>=${formatFinite(predicate.threshold)}`;
    case "not":
      return `!${
        isAtom(predicate.child) ? formatPredicate(predicate.child) : inBrackets(predicate.child)
      }`;
    case "and":
    case "or":
      return formatComposition(predicate.kind, predicate.children);
  }
}

function formatComposition(kind: "and" | "or", children: readonly Predicate[]): string {
  if (children.length < 2) {
    return `${kind === "and" ? "all" : "any"}(${children.map(formatPredicate).join()})`;
  }
  return children.map((child) => isJoined(child) ? inBrackets(child) : formatPredicate(child))
    .join(kind === "and" ? " && " : " || ");
}

function inBrackets(predicate: Predicate): string {
  return `(${formatPredicate(predicate)})`;
}

/** True when it is written with `&&` or `||` between its children. */
function isJoined(predicate: Predicate): boolean {
  return (predicate.kind === "and" || predicate.kind === "or") && predicate.children.length >= 2;
}

/** True when a `!` in front cannot be taken to mean a part of it only. */
function isAtom(predicate: Predicate): boolean {
  switch (predicate.kind) {
    case "exists":
    case "metadata_exists":
    case "not":
      return true;
    case "and":
    case "or":
      return predicate.children.length < 2;
    default:
      return false;
  }
}

function formatKey(key: TagKey | string): string {
  const { axis, key: name } = typeof key === "string" ? { axis: METADATA_AXIS, key } : key;
  return `${axis}.${isWord(name) ? name : quote(name)}`;
}

function formatText(text: string): string {
  return isBareValue(text) ? text : quote(text);
}

/** With `v` in front: `>=` and `<=` take what has none for a number. */
function formatVersion(version: string): string {
  return `v${/^[0-9]/.test(version) && isBareValue(version) ? version : quote(version)}`;
}

function formatFinite(value: number): string {
  if (Number.isFinite(value)) return formatNumber(value);
  throw new RangeError(`Cannot write predicate: number is ${value}, must be finite`);
}

function quote(text: string): string {
  if (text.isWellFormed()) return JSON.stringify(text);
  throw new RangeError(`Cannot use text ${JSON.stringify(text)}: it is not valid Unicode`);
}
