/** Operators on nodes and what they say of themselves (`capabilities.md` 10). */
export type { Candidate } from "./candidate.ts";
export { TRAVERSE_DEPTH_MAX } from "./limits.ts";
export * from "./operators.ts";
export * from "./reducers.ts";
export * from "./traverse.ts";
