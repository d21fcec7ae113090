/** Calls between nodes, and the tools that are offered through them. */
export * from "./tools/mod.ts";
