/** Folds: state that nodes tell each other, signed, and put together by rules (`capabilities.md` 11 to 14). */
export * from "./envelope.ts";
export * from "./envelope_signature.ts";
export type { IslandTopology } from "./island.ts";
export * from "./kinds.ts";
export {
  type CapabilityMembership,
  type MembershipHardware,
  NODE_STATES,
  type NodeState,
} from "./membership.ts";
export { holderOf, type ReservationClaim, type ReservationState } from "./reservation.ts";
export type { RouteClaim } from "./route.ts";
