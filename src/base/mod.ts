/** What every other folder may use; knows nobody. */
export * from "./bytes.ts";
export * from "./clock.ts";
export * from "./disk.ts";
export * from "./emitter.ts";
export * from "./errors.ts";
export * from "./ip_address.ts";
export * from "./pair_map.ts";
export * from "./pause.ts";
export * from "./paced_write.ts";
export * from "./postcard.ts";
export * from "./rate_table.ts";
export * from "./subnet_id.ts";
export * from "./sync_file_system.ts";
export * from "./system_disk.ts";
export * from "./repeat.ts";
export * from "./token_bucket.ts";
export * from "./where_tree.ts";
