/** Why a node did or did not match what was asked. */
export {
  type ConditionReport,
  type ExplainedEntry,
  type ExplainedNode,
  explainEntries,
  explainMatch,
  type ExplainOptions,
  type MatchQuery,
  type MatchReport,
} from "./explain.ts";
export { formatMatchReport } from "./format.ts";
