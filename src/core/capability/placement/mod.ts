/** Which node suits something that needs one (`capabilities.md` 16). */
export { type Artifact, artifactMetadata } from "./artifact.ts";
export * from "./choose.ts";
export * from "./custom_filters.ts";
export * from "./index_source.ts";
export { createIntentRegistry, IntentRegistry, type IntentRequirement } from "./intents.ts";
export * from "./place.ts";
export * from "./policy.ts";
export * from "./score.ts";
export * from "./source.ts";
