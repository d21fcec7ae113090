/** Who can do what: announcements, the signed word of each node on itself, and what is made of them. */
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
  TAG_SUBNET_HEADER,
} from "./capability_set.ts";
export * from "./gates.ts";
export {
  type CapabilitySetFault,
  decodeCapabilitySet,
  type DecodedCapabilitySet,
  encodeCapabilitySet,
  encodeCapabilitySetCompact,
} from "./capability_set_codec.ts";
export { TAG_DRAINING } from "./draining.ts";
export { announcedNoiseKey, NOISE_KEY_METADATA, noiseKeyEntry, TAG_SEALED } from "./noise_key.ts";
export { ingestCapabilities, STEERING_METADATA_KEYS } from "./ingest.ts";
export {
  ALLOWED_MAX,
  ANNOUNCE_REPEAT_MS,
  ANNOUNCEMENT_BYTES_MAX,
  ANNOUNCEMENT_LIFE_MS_MAX,
  ANNOUNCEMENT_TTL_SECONDS,
  FORWARD_HOPS_MAX,
  GROUP_BYTES,
  ORIGIN_BURST,
  ORIGIN_PER_SECOND,
  ORIGINS_MAX,
  RESTORED_LIFE_MS,
  SUBNET_BYTES,
} from "./limits.ts";
export * from "./fold/mod.ts";
export * from "./tags/mod.ts";
export * from "./membership.ts";
export * from "./placement/mod.ts";
export * from "./predicate/mod.ts";
export * from "./query/mod.ts";
export * from "./matchers/mod.ts";
export * from "./views/mod.ts";
export * from "./validation/validate.ts";
export * from "./explain/mod.ts";
export * from "./index/mod.ts";
export * from "./diff/mod.ts";
export * from "./balancer/mod.ts";
export * from "./registry/mod.ts";
