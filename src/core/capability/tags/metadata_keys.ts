/**
 * Names of metadata entries that are not the user's to choose (`capabilities.md` 3, 4): what steers work,
 * what describes tools, the key of the node, and names that would read as reserved tags.
 */
import { NetError } from "../../../base/mod.ts";
import { STEERING_METADATA_KEYS } from "../ingest.ts";
import { NOISE_KEY_METADATA } from "../noise_key.ts";
import { reservedPrefixOf } from "./user_tag.ts";

/** Begins the entries of tools: `tool::ID::WHAT`. */
export const TOOL_METADATA_PREFIX = "tool::";

/** What is told of a tool in metadata because it does not fit into tags. */
export type ToolExtra =
  | "input_schema"
  | "output_schema"
  | "description"
  | "streaming"
  | "tags"
  | "pricing_terms";

/** The entry of a tool. */
export function toolMetadataKey(toolId: string, extra: ToolExtra): string {
  return `${TOOL_METADATA_PREFIX}${toolId}::${extra}`;
}

/**
 * Checks a name that a user chose for an entry.
 *
 * @throws NetError `usage` when it is empty, no valid Unicode, or reserved.
 *
 * @example
 * ```ts
 * import { requireUserMetadataKey } from "./metadata_keys.ts";
 * requireUserMetadataKey("rack");
 * ```
 */
export function requireUserMetadataKey(key: string): void {
  if (STEERING_METADATA_KEYS.has(key)) {
    throw refuse(key, "it steers work", "set it with setSteering");
  }
  if (key.startsWith(TOOL_METADATA_PREFIX)) {
    throw refuse(
      key,
      `prefix ${TOOL_METADATA_PREFIX} is reserved`,
      "leave it to the tools that run, which describe themselves",
    );
  }
  if (key === NOISE_KEY_METADATA) {
    throw refuse(key, "it is the node's own key", "leave it to the node, which announces it");
  }
  const prefix = reservedPrefixOf(key);
  if (prefix !== undefined) {
    throw refuse(key, `prefix ${prefix} is reserved`, "choose a name without it");
  }
  if (key === "") throw refuse(key, "it is empty", "choose a name");
  if (!key.isWellFormed()) throw refuse(key, "it is not valid Unicode", "choose another name");
}

function refuse(key: string, problem: string, next: string): NetError {
  return new NetError("usage", `Cannot use metadata key ${JSON.stringify(key)}: ${problem}`, {
    next,
  });
}
