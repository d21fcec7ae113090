/** Predicates: questions to a node's tags and metadata (`capabilities.md` 9). */
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
export { formatNumber, numberOfText, unsignedOfText } from "./number_text.ts";
export type { Cardinality } from "./plan.ts";
export * from "./predicate.ts";
export * from "./semver.ts";
