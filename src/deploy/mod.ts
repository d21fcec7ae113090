/** Toolkits and their members: finding, fetching and starting them. */
export {
  BUILTIN_COMPOSITIONS,
  type Composition,
  type CompositionMember,
  parseComposition,
} from "./composition/composition.ts";
export * from "./composition/resolve.ts";
export * from "./liveness.ts";
export * from "./lookup.ts";
export * from "./manifest.ts";
export * from "./member_address.ts";
export * from "./metadata.ts";
export * from "./names.ts";
export * from "./platform.ts";
export * from "./ports.ts";
export * from "./registry.ts";
export { memberEnvironment } from "./start/member_env.ts";
export * from "./start/order.ts";
export * from "./start/plan.ts";
export { findProgram, type FindProgramOptions, instanceName } from "./start/program.ts";
export { cleanLine, type MemberRecord, MemberRecords, parseMemberRecord } from "./start/records.ts";
export * from "./start/start_composition.ts";
export * from "./start/start_member.ts";
export * from "./start/stop_member.ts";
export * from "./toolkit.ts";
export * from "./checksums.ts";
export * from "./elf.ts";
export * from "./fetch/mod.ts";
export * from "./sources.ts";
export * from "./unit.ts";
