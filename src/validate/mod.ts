/** Probes of any member, ours or not. */
export * from "./capability_reader.ts";
export type { CapabilityReport } from "./capability_probe.ts";
export * from "./composition_checks.ts";
export type { CrossResult } from "./composition_cross.ts";
export * from "./composition_report.ts";
export type { Resolver } from "./connect.ts";
export { type Endpoint, parseEndpoint, type ParseEndpointOptions } from "./endpoint.ts";
export * from "./report.ts";
export type { StrictCheck } from "./strict_checks.ts";
export * from "./validate_composition.ts";
export * from "./validate_ipc.ts";
export {
  HEALTH_METHODS,
  type HealthMethod,
  type MethodVerdict,
  type Outcome,
  RULE_SETS,
  type RuleSet,
} from "./verdict.ts";
