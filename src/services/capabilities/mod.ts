/** What nodes can do: this node's word, the others', kept and answered from. */
export * from "./baseline.ts";
export * from "./baseline_text.ts";
export * from "./capability_service.ts";
export * from "./memory.ts";
export * from "./own_capabilities.ts";
