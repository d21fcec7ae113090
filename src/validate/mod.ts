/** Probes of any member, ours or not, of its executable and of its metadata. */
export * from "./binary/binary_report.ts";
export { type ByteSource, type ElfFacts, readElfFacts } from "./binary/elf_facts.ts";
export { type ScanFinding, type ScanRule, StringScan } from "./binary/string_scan.ts";
export * from "./binary/validate_binary.ts";
export * from "./capability_reader.ts";
export type { CapabilityReport } from "./capability_probe.ts";
export * from "./composition_checks.ts";
export type { CrossResult } from "./composition_cross.ts";
export * from "./composition_report.ts";
export type { Resolver } from "./connect.ts";
export { type Endpoint, parseEndpoint, type ParseEndpointOptions } from "./endpoint.ts";
export type { DeclaredReport } from "./declared.ts";
export { checkMetadata, type MetadataCheck, type MetadataFinding } from "./metadata_check.ts";
export { loadMetadata } from "./metadata_file.ts";
export * from "./report.ts";
export type { StrictCheck } from "./strict_checks.ts";
export * from "./validate_composition.ts";
export * from "./validate_ipc.ts";
export * from "./validate_metadata.ts";
export {
  HEALTH_METHODS,
  type HealthMethod,
  type MethodVerdict,
  type Outcome,
  RULE_SETS,
  type RuleSet,
} from "./verdict.ts";
