/** Blobs of a node: what is put, got and served, and what goes on about them by itself. */
export * from "./blob_service.ts";
export * from "./copy_keeper.ts";
export * from "./copy_taker.ts";
export * from "./holder_announcer.ts";
export * from "./holder_finder.ts";
export * from "./holdings_server.ts";
export * from "./keeping_service.ts";
export * from "./flow_mesh.ts";
export * from "./flow_service.ts";
export * from "./flow_status.ts";
export * from "./flow_store.ts";
export * from "./policy_memory.ts";
export * from "./policy_service.ts";
export * from "./transfer_view_service.ts";
export * from "./replica_service.ts";
export * from "./replicator.ts";
export * from "./uploads.ts";
