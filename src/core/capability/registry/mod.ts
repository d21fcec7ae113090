/** What is known of nodes and their interfaces beside capabilities (`capabilities.md` 18). */
export * from "./api_registry.ts";
export * from "./api_schema.ts";
export * from "./baggage.ts";
export * from "./metadata_store.ts";
export * from "./node_metadata.ts";
export { parsePathTemplate, type PathSegment, type PathTemplate } from "./path_template.ts";
export * from "./proximity.ts";
export * from "./trace_context.ts";
