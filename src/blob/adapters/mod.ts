/** Stores of blobs beside the node's own, and payloads through them (`dataforts.md` 8). */
export * from "./adapter.ts";
export * from "./adapter_registry.ts";
export * from "./adapter_streams.ts";
export * from "./bounded_adapter.ts";
export * from "./channel_adapters.ts";
export * from "./file_adapter.ts";
export { createMeshAdapter, type MeshAdapterDeps } from "./mesh_adapter.ts";
export * from "./noop_adapter.ts";
export { createS3Adapter, S3Adapter, type S3AdapterOptions } from "./s3/s3_adapter.ts";
export { checkPlace, type S3Place } from "./s3/s3_client.ts";
export { readS3Credentials } from "./s3/s3_credentials.ts";
