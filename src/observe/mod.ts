/** Log records and metrics. */
export * from "./log.ts";
export * from "./metrics.ts";
