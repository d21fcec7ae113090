/** State that follows from logs: causal chains, folds, typed collections. */
export * from "./causal/mod.ts";
export * from "./continuity/mod.ts";
export * from "./cortex/mod.ts";
export * from "./fold/mod.ts";
export * from "./models/mod.ts";
export * from "./netdb/mod.ts";
