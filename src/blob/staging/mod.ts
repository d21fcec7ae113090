/** Puts that can be gone on with. */
export * from "./staged_put.ts";
export * from "./staging_queries.ts";
