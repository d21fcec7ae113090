/**
 * What the text of one capability tag means (`capabilities.md` 2).
 *
 * Reading is total: every text but the empty one is some tag. Who may write which tags is
 * `capability_set.ts` and the user's parser.
 */

/** The axes that structured tags hang on, in no order of rank. */
export const TAG_AXES = ["hardware", "software", "devices", "dataforts"] as const;

/** An axis of structured tags. */
export type TagAxis = (typeof TAG_AXES)[number];

/** Prefixes that mean something to the mesh itself; user code does not write them by hand. */
export const RESERVED_TAG_PREFIXES = [
  "causal:",
  "dataforts:",
  "fork-of:",
  "heat:",
  "scope:",
] as const;

/** A prefix the mesh keeps for itself, colon included. */
export type ReservedTagPrefix = (typeof RESERVED_TAG_PREFIXES)[number];

/** Which property of a node a structured tag speaks of; as text `axis.key`. */
export interface TagKey {
  readonly axis: TagAxis;
  /** May be empty. */
  readonly key: string;
}

/** One tag, read. */
export type Tag =
  | { readonly kind: "reserved"; readonly prefix: ReservedTagPrefix; readonly body: string }
  /** `axis.key`: the property is there. */
  | { readonly kind: "present"; readonly axis: TagAxis; readonly key: string }
  /** `axis.key=value` or `axis.key:value`: the same, except on the wire. */
  | {
    readonly kind: "value";
    readonly axis: TagAxis;
    readonly key: string;
    readonly separator: "=" | ":";
    readonly value: string;
  }
  | { readonly kind: "legacy"; readonly text: string };

/**
 * Reads a tag; `undefined` only for the empty text.
 *
 * @example
 * ```ts
 * import { parseTag } from "./tag.ts";
 * const tag = parseTag("hardware.gpu.vendor=nvidia");
 * console.assert(tag?.kind === "value" && tag.key === "gpu.vendor" && tag.value === "nvidia");
 * console.assert(parseTag("anything else")?.kind === "legacy");
 * ```
 */
export function parseTag(text: string): Tag | undefined {
  if (text === "") return undefined;
  const prefix = RESERVED_TAG_PREFIXES.find((reserved) => text.startsWith(reserved));
  if (prefix !== undefined) return { kind: "reserved", prefix, body: text.slice(prefix.length) };
  const axis = axisOf(text);
  if (axis === undefined) return { kind: "legacy", text };
  const rest = text.slice(axis.length + 1);
  const at = rest.search(/[=:]/);
  if (at === -1) return { kind: "present", axis, key: rest };
  const separator = rest[at] === "=" ? "=" : ":";
  return { kind: "value", axis, key: rest.slice(0, at), separator, value: rest.slice(at + 1) };
}

/** The text of a tag, as it was read. */
export function formatTag(tag: Tag): string {
  switch (tag.kind) {
    case "reserved":
      return `${tag.prefix}${tag.body}`;
    case "present":
      return `${tag.axis}.${tag.key}`;
    case "value":
      return `${tag.axis}.${tag.key}${tag.separator}${tag.value}`;
    case "legacy":
      return tag.text;
  }
}

/** True for one of {@linkcode TAG_AXES}. */
export function isTagAxis(text: string): text is TagAxis {
  return (TAG_AXES as readonly string[]).includes(text);
}

/** `axis.key`. */
export function formatTagKey({ axis, key }: TagKey): string {
  return `${axis}.${key}`;
}

function axisOf(text: string): TagAxis | undefined {
  return TAG_AXES.find((axis) => text.startsWith(axis) && text[axis.length] === ".");
}
