/** RedEX: append-only channel files. */
export * from "./error.ts";
export * from "./types.ts";
export * from "./write_token.ts";
