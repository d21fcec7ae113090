/** The event bus. */
export * from "./error.ts";
export * from "./json.ts";
export * from "./types.ts";
