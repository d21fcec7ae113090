/**
 * Leases: which node runs a task, when several could (`storage.md` 12). A lease is a reservation of the resource
 * with the task's id, which nodes tell each other signed (`capabilities.md` 12); whoever was first has it until it
 * runs out.
 */
import {
  holderOf,
  type ReservationClaim,
  type ReservationState,
} from "../../../core/capability/mod.ts";

/** Where reservations stand: the node's own fold, as far as a lease needs it. */
export interface ReservationBoard {
  /** What is known of a resource; `undefined` when nobody said anything, or it ran out. */
  reservationOf(resourceId: bigint): ReservationState | undefined;
  /** Says it, signed, to oneself and others; false when the own fold refuses it. */
  say(claim: ReservationClaim): boolean;
}

/** Who asks for a lease, and for how long. */
export interface LeaseRequest {
  readonly task: bigint;
  /** Node id of who asks. */
  readonly holder: bigint;
  /** Unix microseconds. */
  readonly nowUs: bigint;
  readonly untilUs: bigint;
}

/** Outcome of asking for a lease. */
export type LeaseOutcome =
  | { readonly kind: "acquired"; readonly untilUs: bigint }
  | { readonly kind: "contended"; readonly holder: bigint | undefined };

/**
 * Takes the lease of a task, or takes one's own anew.
 *
 * Two nodes that ask at the same time may both acquire it until their statements have met: what a leaseholder does
 * has to bear that (see {@linkcode mayRunStep}), or waits a moment and looks with {@linkcode isLeaseHeld}.
 */
export function acquireLease(board: ReservationBoard, request: LeaseRequest): LeaseOutcome {
  const { task, holder, nowUs, untilUs } = request;
  const known = board.reservationOf(task);
  if (known !== undefined && !isTakeable(known, holder, nowUs)) {
    return { kind: "contended", holder: holderOf(known) };
  }
  const state: ReservationState = { kind: "reserved", holder, untilUs };
  if (board.say({ resourceId: task, state })) return { kind: "acquired", untilUs };
  const now = board.reservationOf(task);
  return { kind: "contended", holder: now === undefined ? undefined : holderOf(now) };
}

/** True while this holder has the lease. */
export function isLeaseHeld(
  board: ReservationBoard,
  { task, holder, nowUs }: Omit<LeaseRequest, "untilUs">,
): boolean {
  const known = board.reservationOf(task);
  if (known === undefined || known.kind === "free" || known.holder !== holder) return false;
  return known.kind === "active" || known.untilUs > nowUs;
}

/** Gives a lease back; false when it was not this holder's. */
export function releaseLease(
  board: ReservationBoard,
  request: Omit<LeaseRequest, "untilUs">,
): boolean {
  if (!isLeaseHeld(board, request)) return false;
  return board.say({ resourceId: request.task, state: { kind: "free" } });
}

function isTakeable(known: ReservationState, holder: bigint, nowUs: bigint): boolean {
  switch (known.kind) {
    case "free":
      return true;
    case "reserved":
      return known.holder === holder || known.untilUs <= nowUs;
    case "active":
      return false;
  }
}

/** What running a step of a task does to the world. */
export type StepKind = "pure" | "idempotent" | "side-effecting";

/** True when a step may run: one with side effects never does once it was completed, the others any number of times. */
export function mayRunStep(kind: StepKind, wasCompleted: boolean): boolean {
  return kind !== "side-effecting" || !wasCompleted;
}
