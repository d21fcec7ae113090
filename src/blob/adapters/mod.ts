/** Stores of blobs beside the node's own, and payloads through them (`dataforts.md` 8). */
export * from "./adapter.ts";
export * from "./adapter_registry.ts";
export * from "./file_adapter.ts";
