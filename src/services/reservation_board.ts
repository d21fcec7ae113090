/** Leases of workflow tasks over the folds of a node (`storage.md` 12): reservations that other nodes believe. */
import type { ReservationBoard } from "../state/mod.ts";
import type { FoldService } from "./folds.ts";

/** Where `acquireLease`, `isLeaseHeld` and `releaseLease` read and say reservations: a node's own folds. */
export function createReservationBoard(
  service: Pick<FoldService, "folds" | "say">,
): ReservationBoard {
  return {
    reservationOf: (resourceId) => {
      const { folds } = service;
      return folds.reservations.get(resourceId, folds.time().nowMs)?.envelope.payload.state;
    },
    say: (payload) => service.say({ kind: 3, classHash: 0n, payload }).kind !== "rejected",
  };
}
