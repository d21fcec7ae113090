/** Folds: state that nodes tell each other, signed, and put together by rules (`capabilities.md` 11 to 14). */
export * from "./aggregator/mod.ts";
export * from "./announced_membership.ts";
export * from "./audit.ts";
export * from "./entry.ts";
export * from "./envelope.ts";
export * from "./envelope_signature.ts";
export * from "./fold.ts";
export type { FoldStats } from "./fold_metrics.ts";
export * from "./fold_set.ts";
export type { IslandTopology } from "./island.ts";
export * from "./kinds.ts";
export { FOLD_SWEEP_MS } from "./limits.ts";
export {
  type CapabilityMembership,
  type MembershipHardware,
  NODE_STATES,
  type NodeState,
} from "./membership.ts";
export * from "./own_statements.ts";
export * from "./reach.ts";
export * from "./relay.ts";
export * from "./relay_frame.ts";
export { holderOf, type ReservationClaim, type ReservationState } from "./reservation.ts";
export type { RouteClaim } from "./route.ts";
export { FOLD_RULES, foldKey, type FoldRules, membershipKey } from "./rules.ts";
export { decodeFoldSnapshot, encodeFoldSnapshot } from "./snapshot.ts";
