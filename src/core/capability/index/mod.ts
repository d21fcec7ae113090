/** The capability index: who can do what, answered without walking over nodes (`capabilities.md` 8, 13). */
export {
  aggregate,
  type Aggregation,
  type AggregationQuery,
  type AggregationRow,
} from "./aggregation.ts";
export { type BestWeights, findBestNode } from "./best.ts";
export type { GroupBy } from "./buckets.ts";
export {
  CapabilityIndex,
  type CapabilityIndexOptions,
  type IndexCounters,
  type IndexEntry,
  type NodeFacts,
} from "./capability_index.ts";
export * from "./capacity_ranking.ts";
export { type EntryQuery, findEntries } from "./composite.ts";
export { findNodes, type FindOptions, type NodeFilter } from "./find.ts";
export { IndexMatches } from "./matches.ts";
export { factsOfMembership } from "./membership_facts.ts";
export { findByPredicate, indexCardinality } from "./predicate_query.ts";
export type { QueryOptions } from "./query_options.ts";
export type { NodeScope } from "./scope.ts";
export {
  type ParsedTagMatcher,
  parseTagMatcher,
  type TagMatcher,
  type TagMatcherFault,
  validateTagMatcher,
} from "./tag_matcher.ts";
export type { HardwareFacts } from "./traits.ts";
