/** Tags: what they mean, who may write them, and those with builders of their own (`capabilities.md` 2). */
export * from "./chain_tags.ts";
export {
  requireUserMetadataKey,
  TOOL_METADATA_PREFIX,
  type ToolExtra,
  toolMetadataKey,
} from "./metadata_keys.ts";
export * from "./scope_tags.ts";
export * from "./tag.ts";
export { createTagTest, equalTags, hasTag, meaningOfTag } from "./tag_equality.ts";
export { parseUserTag, TOOL_TAG_PREFIX } from "./user_tag.ts";
