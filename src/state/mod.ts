/** State that follows from logs: causal chains, folds, typed collections. */
export * from "./cortex/mod.ts";
export * from "./netdb/mod.ts";
