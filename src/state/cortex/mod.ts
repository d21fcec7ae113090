/** CortEX: folds over a log. */
export * from "./fold_error.ts";
export * from "./types.ts";
