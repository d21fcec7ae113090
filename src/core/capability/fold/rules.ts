/**
 * Keys and merge rules of the four kinds (`capabilities.md` 12): which of two statements about the same
 * thing stands.
 *
 * Stricter than the reference in one point: whoever names a holder must be it, also in the first
 * statement about a resource and on one that is free. Honest nodes speak only for themselves.
 */
import type { AnyFoldEnvelope, FoldEnvelope } from "./envelope.ts";
import type { FoldKey, FoldRejection } from "./entry.ts";
import type { FoldKindNumber } from "./kinds.ts";
import { holderOf, type ReservationState } from "./reservation.ts";

/** How entries of one kind are told apart and merged. */
export interface FoldRules<Kind extends FoldKindNumber> {
  readonly kind: Kind;
  keyOf(envelope: FoldEnvelope<Kind>): FoldKey;
  /** Why a statement is refused whatever is known. */
  admit(envelope: FoldEnvelope<Kind>): FoldRejection | undefined;
  /**
   * Why `incoming` does not take the place of `known`, which is alive.
   *
   * @param wallUs Now, in Unix microseconds.
   */
  replace(
    known: FoldEnvelope<Kind>,
    incoming: FoldEnvelope<Kind>,
    wallUs: bigint,
  ): FoldRejection | undefined;
}

/** Key of a membership: one per class and node. */
export function membershipKey(classHash: bigint, nodeId: bigint): string {
  return `${classHash}/${nodeId}`;
}

const MEMBERSHIP_RULES: FoldRules<1> = {
  kind: 1,
  keyOf: ({ classHash, nodeId }) => membershipKey(classHash, nodeId),
  admit: () => undefined,
  replace: newer,
};

const ROUTE_RULES: FoldRules<2> = {
  kind: 2,
  keyOf: ({ payload }) => payload.destination,
  admit: () => undefined,
  replace: (known, incoming) => {
    if (known.nodeId === incoming.nodeId) return newer(known, incoming);
    return incoming.payload.metric <= known.payload.metric ? undefined : "worse";
  },
};

const RESERVATION_RULES: FoldRules<3> = {
  kind: 3,
  keyOf: ({ payload }) => payload.resourceId,
  admit: ({ nodeId, payload }) => {
    const holder = holderOf(payload.state);
    return holder === undefined || holder === nodeId ? undefined : "holder";
  },
  replace: (known, incoming, wallUs) => {
    const from = known.payload.state;
    const to = incoming.payload.state;
    if (known.nodeId === incoming.nodeId) {
      return newer(known, incoming) ?? (isLegal(from, to) ? undefined : "transition");
    }
    // Generations of different publishers have nothing to do with each other.
    if (from.kind === "free") return undefined;
    const isOver = from.kind === "reserved" && wallUs >= from.untilUs;
    return isOver && to.kind === "reserved" ? undefined : "held";
  },
};

const ISLAND_RULES: FoldRules<4> = {
  kind: 4,
  keyOf: ({ payload }) => payload.id,
  admit: ({ nodeId, payload }) => payload.host === nodeId ? undefined : "host",
  replace: (known, incoming) => known.nodeId === incoming.nodeId ? newer(known, incoming) : "owner",
};

/** Rules of every kind. */
export const FOLD_RULES: { readonly [Kind in FoldKindNumber]: FoldRules<Kind> } = {
  1: MEMBERSHIP_RULES,
  2: ROUTE_RULES,
  3: RESERVATION_RULES,
  4: ISLAND_RULES,
};

/** What an entry of this statement is found by, within the fold of its kind. */
export function foldKey(envelope: AnyFoldEnvelope): FoldKey {
  switch (envelope.kind) {
    case 1:
      return FOLD_RULES[1].keyOf(envelope);
    case 2:
      return FOLD_RULES[2].keyOf(envelope);
    case 3:
      return FOLD_RULES[3].keyOf(envelope);
    case 4:
      return FOLD_RULES[4].keyOf(envelope);
  }
}

/** Last writer wins: the greater generation. */
function newer(
  known: { readonly generation: bigint },
  incoming: { readonly generation: bigint },
): FoldRejection | undefined {
  return incoming.generation > known.generation ? undefined : "stale";
}

/** What a holder may do with its own resource. */
function isLegal(from: ReservationState, to: ReservationState): boolean {
  switch (from.kind) {
    case "free":
      return to.kind !== "free";
    case "reserved":
      return true;
    case "active":
      return to.kind !== "reserved";
  }
}
