/** The services a node can run. */
export * from "./bench/mod.ts";
export * from "./blobs.ts";
export * from "./capabilities/mod.ts";
export * from "./channels/mod.ts";
export * from "./fold_reach.ts";
export * from "./fold_snapshots.ts";
export * from "./folds.ts";
export * from "./mesh.ts";
export * from "./mesh_secret.ts";
export * from "./nat/mod.ts";
export * from "./node_services.ts";
export * from "./peer_list.ts";
export * from "./placement.ts";
export * from "./storage.ts";
export * from "./subnets.ts";
export * from "./tokens.ts";
export * from "./uploads.ts";
