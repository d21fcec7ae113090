/** CortEX: folds over a log. */
export * from "./types.ts";
