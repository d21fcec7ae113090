/** Calls between nodes (`nrpc.md`), and the tools that are offered through them. */
export * from "./client/mod.ts";
export * from "./discovery/mod.ts";
export * from "./error.ts";
export * from "./link/mod.ts";
export * from "./metrics/mod.ts";
export * from "./resilience/mod.ts";
export * from "./server/mod.ts";
export * from "./tools/mod.ts";
export * from "./typed/mod.ts";
export * from "./types.ts";
export * from "./wire/mod.ts";
