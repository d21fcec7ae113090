/** RedEX: append-only channel files. */
export * from "./append_order.ts";
export { type ChannelFolder, listChannelFolders } from "./channel_folder.ts";
export * from "./disk/mod.ts";
export * from "./error.ts";
export * from "./memory_record_store.ts";
export * from "./open_guard.ts";
export * from "./record_store.ts";
export * from "./redex.ts";
export * from "./redex_config.ts";
export * from "./redex_index.ts";
export * from "./typed_file.ts";
export * from "./types.ts";
export * from "./write_token.ts";
