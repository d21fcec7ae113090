/** Log records and metrics. */
export * from "./exposition.ts";
export * from "./log.ts";
export * from "./loop_lag.ts";
export * from "./metrics.ts";
export * from "./process_metrics.ts";
