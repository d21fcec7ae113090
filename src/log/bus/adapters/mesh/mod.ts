/** The mesh adapter. */
export {
  createFeedCounters,
  createMeshAdapter,
  type MeshAdapter,
  type MeshAdapterDeps,
  type MeshAdapterOptions,
} from "./adapter.ts";
export { FeedMarks } from "./feed_marks.ts";
export type { FeedCounters, SourceCounters } from "./feed_receiver.ts";
export { type FeedLink, FeedReceivers, type FeedSource, NOT_ACCEPTED } from "./feed_receivers.ts";
export { feedStreams, type SenderLink } from "./feed_sender.ts";
export * from "./messages.ts";
