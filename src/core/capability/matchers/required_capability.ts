/**
 * One requirement in the short form that people write (`capabilities.md` 10): `axis.key==value`,
 * `axis.key>=n`, `axis.key<=n`, or a tag. For more than one, and for metadata, there are predicates.
 */
import { NetError } from "../../../base/mod.ts";
import type { CapabilitySet } from "../capability_set.ts";
import { numberOfText } from "../predicate/number_text.ts";
import { readProperties } from "../tags/axis_tags.ts";
import {
  formatTag,
  formatTagKey,
  isTagAxis,
  TAG_AXES,
  type TagAxis,
  type TagKey,
} from "../tags/tag.ts";
import { hasTag } from "../tags/tag_equality.ts";
import { parseUserTag } from "../tags/user_tag.ts";

/** What a node must have. */
export type RequiredCapability =
  /** A tag of this meaning. */
  | { readonly kind: "tag"; readonly tag: string }
  /** Anything on the axis. */
  | { readonly kind: "axis_any"; readonly axis: TagAxis }
  /** The property, with or without value. */
  | { readonly kind: "axis_key"; readonly key: TagKey }
  | { readonly kind: "axis_value"; readonly key: TagKey; readonly value: string }
  | {
    readonly kind: "axis_at_least" | "axis_at_most";
    readonly key: TagKey;
    readonly threshold: number;
  };

/** Why a text is no requirement. */
export type RequiredCapabilityFault =
  | "empty"
  | "tag"
  | "numeric_parse"
  | "invalid_key"
  | "invalid_axis";

/** What {@linkcode readRequiredCapability} found. */
export type ReadRequiredCapability =
  | { readonly ok: true; readonly required: RequiredCapability }
  | { readonly ok: false; readonly fault: RequiredCapabilityFault };

const OPERATORS = [["==", "axis_value"], [">=", "axis_at_least"], ["<=", "axis_at_most"]] as const;

const PROBLEMS: Readonly<Record<RequiredCapabilityFault, string>> = {
  empty: "it is empty",
  tag: "it is no tag that users write",
  numeric_parse: "what it compares with is no number",
  invalid_key: "before the operator there must be axis.key",
  invalid_axis: `its axis must be one of ${TAG_AXES.join(", ")}`,
};

/** Anything on an axis; has no short form. */
export function requireAxis(axis: TagAxis): RequiredCapability {
  return { kind: "axis_any", axis };
}

/** A property with or without value; has no short form. */
export function requireAxisKey(axis: TagAxis, key: string): RequiredCapability {
  return { kind: "axis_key", key: { axis, key } };
}

/**
 * Reads the short form.
 *
 * @throws NetError `usage` when it is none.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { matchesRequired, parseRequiredCapability } from "./required_capability.ts";
 * const required = parseRequiredCapability("hardware.memory_gb >= 32");
 * console.assert(matchesRequired(createCapabilitySet(["hardware.memory_gb=64"]), required));
 * ```
 */
export function parseRequiredCapability(text: string): RequiredCapability {
  const read = readRequiredCapability(text);
  if (read.ok) return read.required;
  throw new NetError(
    "usage",
    `Cannot use requirement ${JSON.stringify(text)}: ${PROBLEMS[read.fault]}`,
    { next: "write a tag, axis.key==value, axis.key>=number or axis.key<=number" },
  );
}

/** {@linkcode parseRequiredCapability} for those who want the fault by name; never throws. */
export function readRequiredCapability(text: string): ReadRequiredCapability {
  const trimmed = text.trim();
  if (trimmed === "") return refuse("empty");
  for (const [operator, kind] of OPERATORS) {
    const at = trimmed.indexOf(operator);
    if (at === -1) continue;
    const key = readKey(trimmed.slice(0, at));
    if (typeof key === "string") return refuse(key);
    const operand = trimmed.slice(at + operator.length).trim();
    if (kind === "axis_value") return accept({ kind, key, value: unquote(operand) });
    const threshold = numberOfText(operand);
    return Number.isNaN(threshold) ? refuse("numeric_parse") : accept({ kind, key, threshold });
  }
  try {
    return accept({ kind: "tag", tag: formatTag(parseUserTag(trimmed)) });
  } catch {
    return refuse("tag");
  }
}

/** The short form; `axis` and `axis.key` for the two that have none. */
export function formatRequiredCapability(required: RequiredCapability): string {
  switch (required.kind) {
    case "tag":
      return required.tag;
    case "axis_any":
      return required.axis;
    case "axis_key":
      return formatTagKey(required.key);
    case "axis_value":
      return `${formatTagKey(required.key)}=="${required.value}"`;
    case "axis_at_least":
      return `${formatTagKey(required.key)}>=${required.threshold}`;
    case "axis_at_most":
      return `${formatTagKey(required.key)}<=${required.threshold}`;
  }
}

/** True when the set has what is required. */
export function matchesRequired(set: CapabilitySet, required: RequiredCapability): boolean {
  switch (required.kind) {
    case "tag":
      return hasTag(set, required.tag);
    case "axis_any":
      return set.tags.some((tag) => tag.startsWith(`${required.axis}.`));
    case "axis_key":
      return hasProperty(set, required.key, () => true);
    case "axis_value":
      return hasProperty(set, required.key, (value) => value === required.value);
    case "axis_at_least":
      return hasNumber(set, required.key, (value) => value >= required.threshold);
    case "axis_at_most":
      return hasNumber(set, required.key, (value) => value <= required.threshold);
  }
}

function hasNumber(set: CapabilitySet, key: TagKey, isWanted: (value: number) => boolean): boolean {
  return hasProperty(set, key, (value) => value !== undefined && isWanted(numberOfText(value)));
}

function hasProperty(
  { tags }: CapabilitySet,
  key: TagKey,
  isWanted: (value: string | undefined) => boolean,
): boolean {
  let isFound = false;
  readProperties(tags, formatTagKey(key), (rest, value) => {
    if (rest === "" && isWanted(value)) isFound = true;
  });
  return isFound;
}

function readKey(text: string): TagKey | "invalid_key" | "invalid_axis" {
  const dot = text.indexOf(".");
  const key = dot === -1 ? "" : text.slice(dot + 1).trim();
  // A tag's key ends at its separator, so that no tag can have such a key.
  if (key === "" || /[=:]/.test(key)) return "invalid_key";
  const axis = text.slice(0, dot).trim();
  return isTagAxis(axis) ? { axis, key } : "invalid_axis";
}

function unquote(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function accept(required: RequiredCapability): ReadRequiredCapability {
  return { ok: true, required };
}

function refuse(fault: RequiredCapabilityFault): ReadRequiredCapability {
  return { ok: false, fault };
}
