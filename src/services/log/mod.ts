/** Logs of a node: channel files, the bus that gathers events, and the database that is folded out of them. */
export type { BusFeedLink, FeedView } from "./bus_feeds.ts";
export * from "./bus_service.ts";
export * from "./db_service.ts";
export * from "./limits.ts";
export * from "./log_append.ts";
export * from "./log_folders.ts";
export * from "./log_reader.ts";
export * from "./log_service.ts";
export * from "./log_verify.ts";
export * from "./rules.ts";
export * from "./shared_redex.ts";
export * from "./state_service.ts";
