/** The event bus. */
export * from "./adapters/jetstream/mod.ts";
export * from "./adapters/redis/mod.ts";
export * from "./adapters/log.ts";
export * from "./adapters/memory.ts";
export {
  createFeedCounters,
  createMeshAdapter,
  type FeedCounters,
  type FeedLink,
  FeedMarks,
  FeedReceivers,
  type FeedSource,
  feedStreams,
  type MeshAdapter,
  type MeshAdapterDeps,
  type MeshAdapterOptions,
  NOT_ACCEPTED,
} from "./adapters/mesh/mod.ts";
export * from "./adapters/net/mod.ts";
export * from "./adapters/noop.ts";
export * from "./bus.ts";
export { BATCH_PRESETS, type BusOptions, formatBackpressure, parseBackpressure } from "./config.ts";
export * from "./cursor.ts";
export * from "./error.ts";
export * from "./event_id.ts";
export * from "./filter.ts";
export * from "./json.ts";
export { eventCountOf } from "./packed_batch.ts";
export { SCALING_PRESETS, type ScalingPolicy } from "./scaling_policy.ts";
export * from "./subscription.ts";
export * from "./types.ts";
export * from "./where_text.ts";
