/** RedEX: append-only channel files. */
export * from "./disk/mod.ts";
export * from "./error.ts";
export * from "./record_store.ts";
export * from "./types.ts";
export * from "./write_token.ts";
