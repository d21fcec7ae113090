/**
 * Kind 3, reservations: who holds which resource, for how long or for which job
 * (`capabilities.md` 12, `compute.md` 12).
 */
import type { PostcardReader, PostcardWriter } from "../../../base/mod.ts";

/** What a resource is. */
export type ReservationState =
  | { readonly kind: "free" }
  | {
    readonly kind: "reserved";
    readonly holder: bigint;
    /** Unix microseconds from which others may take it. */
    readonly untilUs: bigint;
  }
  | { readonly kind: "active"; readonly holder: bigint; readonly jobId: bigint };

/** Payload of kind 3. */
export interface ReservationClaim {
  readonly resourceId: bigint;
  readonly state: ReservationState;
}

/** Appends a reservation. */
export function writeReservation(writer: PostcardWriter, claim: ReservationClaim): void {
  const { state } = claim;
  writer.varint(claim.resourceId);
  switch (state.kind) {
    case "free":
      writer.varint(0);
      return;
    case "reserved":
      writer.varint(1).varint(state.holder).varint(state.untilUs);
      return;
    case "active":
      writer.varint(2).varint(state.holder).varint(state.jobId);
      return;
  }
}

/** Reads a reservation; a failure shows in the reader. */
export function readReservation(reader: PostcardReader): ReservationClaim {
  return { resourceId: reader.u64(), state: readState(reader) };
}

/** Who holds it; `undefined` when it is free. */
export function holderOf(state: ReservationState): bigint | undefined {
  return state.kind === "free" ? undefined : state.holder;
}

function readState(reader: PostcardReader): ReservationState {
  switch (reader.variant(3)) {
    case 1:
      return { kind: "reserved", holder: reader.u64(), untilUs: reader.u64() };
    case 2:
      return { kind: "active", holder: reader.u64(), jobId: reader.u64() };
    default:
      return { kind: "free" };
  }
}
