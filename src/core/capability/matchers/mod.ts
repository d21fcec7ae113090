/** Other ways to ask a set than predicates (`capabilities.md` 10). */
export * from "./bloom_filter.ts";
export * from "./required_capability.ts";
export * from "./requirements.ts";
