/** Predicates: questions to a node's tags and metadata (`capabilities.md` 9). */
export * from "./cardinality_cache.ts";
export * from "./chain_tests.ts";
export {
  type Clause,
  createClauseTest,
  createClauseValueTest,
  isClause,
  isMetadataClause,
  type SetTest,
  type ValueTest,
} from "./clause.ts";
export * from "./evaluate.ts";
export { formatPredicate } from "./format_text.ts";
export { formatLabel } from "./label.ts";
export {
  PREDICATE_BYTES_MAX,
  PREDICATE_DEPTH_MAX,
  PREDICATE_HEADER_BYTES_MAX,
  PREDICATE_NODES_MAX,
  PREDICATE_TEXT_MAX,
} from "./limits.ts";
export { formatNumber, numberOfText, unsignedOfText } from "./number_text.ts";
export { METADATA_AXIS, parsePredicate } from "./parse_text.ts";
export type { Cardinality } from "./plan.ts";
export * from "./predicate.ts";
export * from "./predicate_wire.ts";
export * from "./rpc_header.ts";
export * from "./report.ts";
export * from "./semver.ts";
export * from "./trace.ts";
