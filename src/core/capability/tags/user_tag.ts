/**
 * Tags as people and programs write them (`capabilities.md` 2): whatever the mesh keeps for itself is
 * refused here, and has a builder of its own.
 *
 * Only for text from users. Tags of other nodes and of the node's own services go through `parseTag`.
 */
import { NetError } from "../../../base/mod.ts";
import { parseTag, RESERVED_TAG_PREFIXES, type Tag } from "./tag.ts";

/** Tags that a served tool brings along; written by hand they would promise a tool nobody serves. */
export const TOOL_TAG_PREFIX = "ai-tool:";

const INSTEAD: Readonly<Record<string, string>> = {
  "scope:": "set the scope with tenantScopeTag, regionScopeTag, TAG_SUBNET_LOCAL or TAG_GLOBAL",
  "causal:": "leave it to the node, which announces the chains it holds",
  "fork-of:": "leave it to the node, which announces the parent of a chain it holds",
  "heat:": "leave it to the node, which measures how much its chains are read",
  "dataforts:":
    "leave it to the node's storage; tags of your own begin with dataforts. or another name",
  [TOOL_TAG_PREFIX]: "serve the tool: the tag comes with it and goes with it",
};

/** The prefix that keeps a text from being a user's tag; `undefined` when it may be one. */
export function reservedPrefixOf(text: string): string | undefined {
  return text.startsWith(TOOL_TAG_PREFIX)
    ? TOOL_TAG_PREFIX
    : RESERVED_TAG_PREFIXES.find((prefix) => text.startsWith(prefix));
}

/**
 * Reads a tag that a user wrote.
 *
 * @throws NetError `usage` when it is empty, no valid Unicode, or has a reserved prefix.
 *
 * @example
 * ```ts
 * import { parseUserTag } from "./user_tag.ts";
 * console.assert(parseUserTag("hardware.gpu").kind === "present");
 * ```
 */
export function parseUserTag(text: string): Tag {
  const prefix = reservedPrefixOf(text);
  if (prefix !== undefined) {
    throw new NetError("usage", `Cannot use tag "${text}": prefix ${prefix} is reserved`, {
      next: INSTEAD[prefix],
    });
  }
  const tag = parseTag(text);
  if (tag !== undefined && text.isWellFormed()) return tag;
  const problem = tag === undefined ? "it is empty" : "it is not valid Unicode";
  throw new NetError("usage", `Cannot use tag ${JSON.stringify(text)}: ${problem}`, {
    next: "write a name, axis.key or axis.key=value",
  });
}
