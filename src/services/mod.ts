/** The services a node can run. */
export * from "./bench/mod.ts";
export * from "./blobs.ts";
export * from "./capabilities.ts";
export * from "./capability_baseline.ts";
export * from "./capability_baseline_text.ts";
export * from "./capability_memory.ts";
export * from "./fold_reach.ts";
export * from "./fold_snapshots.ts";
export * from "./folds.ts";
export * from "./mesh.ts";
export * from "./mesh_secret.ts";
export * from "./own_capabilities.ts";
export * from "./peer_list.ts";
export * from "./storage.ts";
export * from "./subnets.ts";
export * from "./tokens.ts";
export * from "./uploads.ts";
