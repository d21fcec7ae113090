/** Toolkits and their members: finding, fetching and starting them. */
export { askLiveness, type AskLivenessOptions, type LivenessAnswer } from "./liveness.ts";
export * from "./lookup.ts";
export * from "./manifest.ts";
export * from "./member_address.ts";
export * from "./metadata.ts";
export * from "./names.ts";
export * from "./platform.ts";
export * from "./ports.ts";
export * from "./toolkit.ts";
export * from "./checksums.ts";
export * from "./elf.ts";
export * from "./fetch/mod.ts";
export * from "./sources.ts";
