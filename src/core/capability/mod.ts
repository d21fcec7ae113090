/** Capability announcements: the signed word of each node on what it can do (`capabilities.md` 1, 6). */
export * from "./announce_schedule.ts";
export * from "./announcement.ts";
export * from "./announcement_signature.ts";
export * from "./announcement_store.ts";
export {
  type CapabilitySet,
  compareUtf8,
  createCapabilitySet,
  formatCapabilitySet,
  TAG_STREAM_ACK_RANGES,
} from "./capability_set.ts";
export {
  ALLOWED_MAX,
  ANNOUNCEMENT_BYTES_MAX,
  ANNOUNCEMENT_TTL_SECONDS,
  FORWARD_HOPS_MAX,
} from "./limits.ts";
