/** Aggregators: counting folds, telling of it, answering for it (`capabilities.md` 14). */
export * from "./aggregator.ts";
export * from "./detail_query.ts";
export * from "./fold_query.ts";
export * from "./fold_query_wire.ts";
export { DETAIL_BYTES_MAX, SUMMARY_INTERVAL_MS } from "./limits.ts";
export * from "./registry_wire.ts";
export * from "./replicas.ts";
export { type SummaryScope } from "./summarise.ts";
export {
  decodeSummary,
  encodeSummary,
  type FoldSummary,
  type SummaryBucket,
  summaryChannel,
} from "./summary.ts";
export * from "./summary_cache.ts";
