/** What a program needs to be a node. */
export type {
  GetFileOptions,
  GetOptions,
  GetStreamOptions,
  PutBlob,
  PutOptions,
} from "./blob_io.ts";
export type { BlobInput } from "./blob_source.ts";
export { type Body, toText } from "./body.ts";
export type { FoundNode, NodeQuery, NodeQueryInput } from "./find.ts";
export { LogNode } from "./log_node.ts";
export * from "./mesh_node.ts";
export * from "./net_node.ts";
export * from "./node_log.ts";
export type { StartNodeOptions } from "./node_options.ts";
export type { BytesHandler } from "./serving.ts";
export { startNode } from "./start_node.ts";
export { ChannelMessage, Subscription, type WhenActiveOptions } from "./subscription.ts";
