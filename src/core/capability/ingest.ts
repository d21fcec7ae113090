/**
 * What a node believes of another's set: the tags and metadata that questions are asked of
 * (`capabilities.md` 6, step 11).
 *
 * The announcement itself stays as it was signed, for others to verify; only the copy that is indexed is
 * cleaned. A node's own set is not: what it says of itself steers nobody but itself.
 */
import { type CapabilitySet, orderCapabilitySet } from "./capability_set.ts";
import { BLOB_HEAT_TAGS_MAX } from "./limits.ts";

/**
 * Metadata by which work is steered here. Said by somebody else it could draw another tenant's work, so
 * it counts only in a node's own set.
 */
export const STEERING_METADATA_KEYS: ReadonlySet<string> = new Set([
  "colocate-with",
  "colocate-with-strict",
  "intent",
  "owner",
  "priority",
]);

const HEAT = "heat:";
const BLOB_HEAT = "heat:blob:";
const CHAIN = "causal:";
const TOOL = "ai-tool:";
const SERVICE = "nrpc:";

/**
 * The set as it is indexed: without steering metadata, without the heat of chains that the node does not
 * claim to hold, with the heat of a bounded number of blobs, and without tools that the node does not serve
 * (promise C12). The same object when there is nothing to leave out.
 */
export function ingestCapabilities(set: CapabilitySet): CapabilitySet {
  let { tags } = set;
  if (hasTag(tags, HEAT)) tags = coolTags(tags);
  if (hasTag(tags, TOOL)) tags = servedTools(tags);
  const hasSteering = set.metadata.size > 0 &&
    [...STEERING_METADATA_KEYS].some((key) => set.metadata.has(key));
  if (tags === set.tags && !hasSteering) return set;
  return orderCapabilitySet(
    tags,
    [...set.metadata].filter(([key]) => !STEERING_METADATA_KEYS.has(key)),
  );
}

function hasTag(tags: readonly string[], prefix: string): boolean {
  return tags.some((tag) => tag.startsWith(prefix));
}

/** The same list when every tool is served. */
function servedTools(tags: readonly string[]): readonly string[] {
  const known = new Set(tags);
  const isServed = (tag: string) =>
    !tag.startsWith(TOOL) || known.has(SERVICE + tag.slice(TOOL.length));
  return tags.every(isServed) ? tags : tags.filter(isServed);
}

/** The same list when all heat is believed. */
function coolTags(tags: readonly string[]): readonly string[] {
  const chains = new Set<string>();
  for (const tag of tags) if (tag.startsWith(CHAIN)) chains.add(chainOf(tag.slice(CHAIN.length)));
  let blobs = 0;
  const kept = tags.filter((tag) => {
    if (!tag.startsWith(HEAT)) return true;
    if (tag.startsWith(BLOB_HEAT)) return ++blobs <= BLOB_HEAT_TAGS_MAX;
    return chains.has(chainOf(tag.slice(HEAT.length)));
  });
  return kept.length === tags.length ? tags : kept;
}

/** The hex digits a reserved tag's body begins with. */
function chainOf(body: string): string {
  const end = body.search(/[^0-9a-fA-F]/);
  return (end === -1 ? body : body.slice(0, end)).toLowerCase();
}
