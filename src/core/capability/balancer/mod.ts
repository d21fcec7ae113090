/** Load balancing over nodes that can do the same (`capabilities.md` 17). */
export type { SelectionFault } from "./candidates.ts";
export type { CircuitState } from "./circuit.ts";
export { type EndpointInfo, type EndpointOptions, ringId } from "./endpoint.ts";
export { Fnv64 } from "./fnv.ts";
export { HashRing } from "./hash_ring.ts";
export type { Lease } from "./lease.ts";
export {
  CIRCUIT_FAILURES,
  CIRCUIT_RECOVERY_MS,
  CONNECTIONS_MAX,
  ENDPOINTS_MAX,
  RING_POINTS,
} from "./limits.ts";
export {
  type EndpointHealth,
  HEALTH_MULTIPLIERS,
  isOverloaded,
  type LoadMetrics,
  loadScore,
} from "./load.ts";
export * from "./load_balancer.ts";
export { BALANCING_STRATEGIES, type BalancingStrategy } from "./strategies.ts";
