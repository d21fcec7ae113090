/**
 * May this node take a chunk: because it caches greedily, because gravity moves it here, or because a peer has
 * no room (`dataforts.md` 17, 18)? Each question has its reasons to say no, looked at in a fixed order.
 */
import { CHUNK_BYTES } from "../limits.ts";
import { type DataClaims, gibFor, type PullClaim } from "./data_claims.ts";
import { type DataPlace, type DataScope, isInboundAllowed, isInsideBorder } from "./scope.ts";

/** Reasons against a pull of what a peer published. */
export type PullRefusal =
  | "no_storage"
  | "greedy_disabled"
  | "proximity_zero"
  | "unhealthy"
  | "scope_mismatch";

/** Reasons against a migration to this node. */
export type MigrateRefusal =
  | "no_storage"
  | "gravity_disabled"
  | "proximity_zero"
  | "unhealthy"
  | "scope_mismatch"
  | "insufficient_disk";

/** Reasons against a peer's push; their order is that of the numbers on the wire. */
export const OVERFLOW_REFUSALS = [
  "no_storage_cap",
  "not_participating",
  "sender_not_overflowing",
  "unhealthy",
  "scope_mismatch",
  "insufficient_disk",
] as const;

/** One of them. */
export type OverflowRefusal = typeof OVERFLOW_REFUSALS[number];

/** The other side of a question. */
export interface DataPeer {
  readonly claims: DataClaims;
  readonly place?: DataPlace;
}

/** This side: its claims are exact where the peer's are what it announced. */
export interface LocalData extends DataPeer {
  /**
   * Bytes that may still be stored. Announced room counts in whole GiB; this is what really decides, and only
   * the announced number does when it is left out. Gravity fills up to the low mark of overflow and pushes of
   * peers up to the high one: otherwise gravity would take the room that overflow needs.
   */
  readonly roomBytes?: number;
}

/** Why a blob that a peer published is not pulled; `undefined` when it is. */
export function refusePull(local: LocalData, publisher: DataPeer): PullRefusal | undefined {
  const { claims } = local;
  if (!claims.hasStorage) return "no_storage";
  if (!claims.greedy.isEnabled) return "greedy_disabled";
  if (claims.greedy.proximity === 0) return "proximity_zero";
  if (claims.isUnhealthy) return "unhealthy";
  return isInScope(claims.greedy.scope, local, publisher) ? undefined : "scope_mismatch";
}

/**
 * Why a chunk does not migrate here; `undefined` when it does.
 *
 * @param floor The narrowest scope of those that advertise it, if any is narrower than the peer's own.
 */
export function refuseMigration(
  local: LocalData,
  peer: DataPeer,
  sizeBytes: number,
  floor?: DataScope,
): MigrateRefusal | undefined {
  const { claims } = local;
  if (!claims.hasStorage) return "no_storage";
  if (!claims.gravity.isEnabled) return "gravity_disabled";
  if (claims.gravity.proximity === 0) return "proximity_zero";
  if (claims.isUnhealthy) return "unhealthy";
  const isFloorMet = floor === undefined || isInboundAllowed(claims.gravity.scope, floor);
  if (!isFloorMet || !isInScope(claims.gravity.scope, local, peer)) return "scope_mismatch";
  return hasRoom(local, sizeBytes) ? undefined : "insufficient_disk";
}

/** Why a peer's push is not taken; `undefined` when it is. */
export function refuseOverflow(
  local: LocalData,
  sender: DataPeer,
  sizeBytes: number,
): OverflowRefusal | undefined {
  const { claims } = local;
  if (!claims.hasStorage) return "no_storage_cap";
  if (!claims.isOverflowing) return "not_participating";
  if (!sender.claims.isOverflowing) return "sender_not_overflowing";
  if (claims.isUnhealthy) return "unhealthy";
  if (!isInScope(claims.gravity.scope, local, sender)) return "scope_mismatch";
  // The size is only what the sender says: room for a full chunk is there in any case.
  return hasRoom(local, overflowRoomBytes(sizeBytes)) ? undefined : "insufficient_disk";
}

/** Bytes of room that a push of so many bytes must find. */
export function overflowRoomBytes(sizeBytes: number): number {
  return Math.max(sizeBytes, CHUNK_BYTES);
}

/** Bytes of room below a mark, a share of the capacity. */
export function roomBelow(
  disk: { readonly used: number; readonly capacity: number },
  markRatio: number,
): number {
  return Math.max(0, markRatio * disk.capacity - disk.used);
}

function isInScope(scope: DataScope, local: LocalData, peer: DataPeer): boolean {
  const isWideEnough = [peer.claims.greedy, peer.claims.gravity]
    .some((claim: PullClaim) => isInboundAllowed(scope, claim.scope));
  return isWideEnough && isInsideBorder(scope, local.place ?? {}, peer.place ?? {});
}

function hasRoom({ claims, roomBytes = Infinity }: LocalData, sizeBytes: number): boolean {
  return claims.diskFreeGib >= gibFor(sizeBytes) && sizeBytes <= roomBytes;
}
