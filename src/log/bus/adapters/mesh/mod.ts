/** The mesh adapter. */
export {
  createMeshAdapter,
  type MeshAdapter,
  type MeshAdapterDeps,
  type MeshAdapterOptions,
} from "./adapter.ts";
export type { FeedCounters } from "./feed_receiver.ts";
export { feedStreams } from "./feed_sender.ts";
export * from "./messages.ts";
