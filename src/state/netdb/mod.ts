/** NetDB: typed collections. */
export * from "./types.ts";
