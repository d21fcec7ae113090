/** What goes into a receiver of causal order and what comes out. */
import type { CausalEvent, CausalLink } from "./causal_link.ts";

/** What the writer of an event had seen: origins with their highest numbers. */
export type Causes = ReadonlyMap<bigint, bigint>;

/**
 * Why an event was dropped.
 *
 * - `malformed`: a frame that is none; what stands behind it is lost too
 * - `stranger`: of an origin that is not followed
 * - `duplicate`: it came before, or its place was given up
 * - `fork`: another event has its place in the chain
 * - `parent`: it does not continue the chain
 * - `full`: too much is held already
 * - `too_many_causes`: more than 4,096
 * - `unfollowed`: it was held when its origin was let go of
 */
export type ReceiverDrop =
  | "malformed"
  | "stranger"
  | "duplicate"
  | "fork"
  | "parent"
  | "full"
  | "too_many_causes"
  | "unfollowed";

/** What a receiver hands on, in order. */
export type CausalItem =
  | {
    readonly kind: "event";
    readonly event: CausalEvent;
    /** True when it was handed on although causes of it did not come in time. */
    readonly isEarly: boolean;
  }
  /** Events that did not come; the next one of this origin is taken without a check of its parent. */
  | {
    readonly kind: "gap";
    readonly origin: bigint;
    readonly from: bigint;
    readonly to: bigint;
  };

/** What became of what was received. */
export interface CausalReceived {
  /** To be handed on now. */
  readonly items: readonly CausalItem[];
  /** Events that were dropped, by reason. */
  readonly drops: readonly ReceiverDrop[];
}

/** The end of a chain: the link of its last event, and that event's hash in the place of its payload. */
export interface ChainAnchor {
  readonly link: CausalLink;
  readonly hash: bigint;
}

/**
 * Where a chain is taken up: at its first event, behind an event that is known or the end that a receiver had come
 * to, or at whichever event comes first.
 */
export type ChainStart = "genesis" | "first-received" | CausalEvent | ChainAnchor;

/** Options of {@linkcode CausalReceiver}. */
export interface CausalReceiverOptions {
  /** How chains of origins are taken up that nobody asked to follow; they are dropped when left out. */
  readonly strangers?: "genesis" | "first-received";
  readonly originsMax?: number;
  readonly heldMax?: number;
  readonly heldPerOriginMax?: number;
  readonly heldBytesMax?: number;
  /** How long missing events and causes are waited for, in milliseconds. */
  readonly patienceMs?: number;
}

/** Counters of a receiver; received = handed on + held + drops. */
export interface CausalReceiverStat {
  readonly received: number;
  readonly handedOn: number;
  readonly early: number;
  readonly gaps: number;
  readonly held: number;
  readonly heldBytes: number;
  readonly origins: number;
  readonly drops: Readonly<Record<ReceiverDrop, number>>;
}
