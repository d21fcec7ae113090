/** Reading of blobs. */
export type { ByteRange } from "../tree/tree_walk.ts";
export type { OnRestored } from "./_stripe_reader.ts";
export * from "./chunk_buffers.ts";
export * from "./chunk_reader.ts";
export * from "./node_cache.ts";
export * from "./proven_refs.ts";
export * from "./read_blob.ts";
export * from "./repair_blob.ts";
export * from "./repair_on_read.ts";
