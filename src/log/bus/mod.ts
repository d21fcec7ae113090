/** The event bus. */
export * from "./adapters/jetstream/mod.ts";
export * from "./adapters/redis/mod.ts";
export * from "./error.ts";
export * from "./json.ts";
export * from "./types.ts";
