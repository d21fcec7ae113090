/** Blobs: references, chunks, the store of this node, transfers between nodes. */
export * from "./adapters/mod.ts";
export * from "./address.ts";
export * from "./blob_draft.ts";
export * from "./blob_ref.ts";
export * from "./blob_store.ts";
export * from "./byte_source.ts";
export type { ChunkHold, ChunkRecord, HoldReason } from "./chunk_queries.ts";
export * from "./chunk_store.ts";
export * from "./chunker.ts";
export { chunkFromParity } from "./chunks/parity_source.ts";
export * from "./chunks/scrub.ts";
export { neededChunks } from "./chunks/scrub_queries.ts";
export * from "./cut/chunking.ts";
export * from "./cut/cut_stream.ts";
export * from "./cut/cutter.ts";
export * from "./directory/dir_manifest.ts";
export * from "./directory/extraction_plan.ts";
export * from "./directory/safe_path.ts";
export * from "./encoding.ts";
export * from "./erasure/matrix.ts";
export * from "./erasure/repair.ts";
export * from "./erasure/restore.ts";
export * from "./erasure/stripe_builder.ts";
export * from "./exchange/mod.ts";
export * from "./fetch.ts";
export {
  type FileChunkStore,
  openFileChunkStore,
  type OpenFileChunkStoreOptions,
} from "./file_chunk_store.ts";
export * from "./flow/mod.ts";
export * from "./folder/mod.ts";
export { type AuditReport, MISSING_LISTED_MAX } from "./keep/auditor.ts";
export { type BlobState, HOLDS_LISTED_MAX } from "./keep/blob_state.ts";
export type { ChunkChange } from "./keep/chunk_keeper.ts";
export type { CollectedChunk, CollectOptions, CollectReport } from "./keep/collector.ts";
export { type ChunkExplanation, REFERRERS_LISTED_MAX } from "./keep/explain.ts";
export type { MissingChunk } from "./keep/keep_queries.ts";
export type { RoomMakerCounters } from "./keep/room_maker.ts";
export type { StripeState } from "./keep/stripes.ts";
export * from "./lent/mod.ts";
export {
  BLOB_BYTES_MAX,
  CHUNK_BYTES,
  CHUNK_BYTES_MAX,
  DIR_MANIFEST_BYTES_MAX,
  TRANSFER_BYTES_MAX,
  TREE_DEPTH_MAX,
  TREE_FAN_OUT,
  TREE_NODE_BYTES_MAX,
} from "./limits.ts";
export * from "./mesh_chunks.ts";
export * from "./policy/mod.ts";
export * from "./put/put_blob.ts";
export * from "./put/put_form.ts";
export * from "./read/mod.ts";
export { type BlobProgress, createProgressGate, type OnBlobProgress } from "./progress.ts";
export type { BlobCursor, BlobFilter, BlobKind, BlobOrigin, BlobRecord } from "./queries.ts";
export type { FetchableRef } from "./resolver.ts";
export * from "./replica/mod.ts";
export * from "./transfer.ts";
export type { HolderFinder } from "./_holder_search.ts";
export type { TransferCounters } from "./transfer_counters.ts";
export type { BlobSource } from "./transfer_holder.ts";
export type { GetEntry, GetState, GetStatus, StreamStatus } from "./transfer_registry.ts";
export { TransferRegistry } from "./transfer_registry.ts";
export * from "./transfer_rpc_wire.ts";
export * from "./transfer_wire.ts";
export * from "./staging/mod.ts";
export * from "./tree/tree_builder.ts";
export * from "./tree/tree_node.ts";
export * from "./tree/tree_place.ts";
export * from "./tree/tree_walk.ts";
export * from "./work/mod.ts";
