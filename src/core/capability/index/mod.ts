/** The capability index: who can do what, answered without walking over nodes (`capabilities.md` 8, 13). */
export {
  CapabilityIndex,
  type CapabilityIndexOptions,
  type IndexCounters,
  type IndexEntry,
  type NodeFacts,
} from "./capability_index.ts";
export * from "./find.ts";
export { IndexMatches } from "./matches.ts";
export { factsOfMembership } from "./membership_facts.ts";
export type { NodeScope } from "./scope.ts";
export type { HardwareFacts } from "./traits.ts";
