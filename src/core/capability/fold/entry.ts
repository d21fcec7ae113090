/** Entries of folds, and what happens to them (`capabilities.md` 11). */
import type { FoldEnvelope } from "./envelope.ts";
import type { FoldKindNumber } from "./kinds.ts";

/** What an entry is found by; unique within its fold. */
export type FoldKey = string | bigint;

/** The statement that stands. */
export interface FoldEntry<Kind extends FoldKindNumber = FoldKindNumber> {
  readonly key: FoldKey;
  readonly envelope: FoldEnvelope<Kind>;
  /** Milliseconds of the clock that never goes backwards. */
  readonly expiresAt: number;
  /** Entity id of the publisher; `undefined` when this node put the statement together itself. */
  readonly publisher: Uint8Array | undefined;
  /** What it counts as in memory. */
  readonly bytes: number;
}

/** Why a statement changes nothing. */
export type FoldRejection =
  /** Its generation is not above the one that stands. */
  | "stale"
  /** Another publisher has a way that costs less. */
  | "worse"
  /** A state that may not follow the one that stands. */
  | "transition"
  /** Another publisher holds the resource. */
  | "held"
  /** It names a holder that is not its publisher. */
  | "holder"
  /** It names a host that is not its publisher. */
  | "host"
  /** Another publisher's island has that id. */
  | "owner"
  /** Dead on arrival. */
  | "expired"
  /** Its publisher has as many entries as it may. */
  | "publisher_full"
  /** No room, and others have no more than their share. */
  | "full";

/** What became of a statement. */
export type FoldOutcome<Kind extends FoldKindNumber = FoldKindNumber> =
  | { readonly kind: "inserted"; readonly entry: FoldEntry<Kind> }
  | {
    readonly kind: "replaced";
    readonly entry: FoldEntry<Kind>;
    readonly previous: FoldEntry<Kind>;
  }
  | { readonly kind: "rejected"; readonly reason: FoldRejection };

/** One change of a fold, for whoever keeps something of its own in step with it. */
export type FoldChange<Kind extends FoldKindNumber = FoldKindNumber> =
  | {
    /** `restored` after a restart of this node. */
    readonly cause: "inserted" | "restored";
    readonly entry: FoldEntry<Kind>;
    readonly previous: undefined;
  }
  | {
    readonly cause: "replaced";
    readonly entry: FoldEntry<Kind>;
    readonly previous: FoldEntry<Kind>;
  }
  | {
    /** `evicted` with its publisher, or because others needed room. */
    readonly cause: "expired" | "evicted";
    readonly entry: undefined;
    readonly previous: FoldEntry<Kind>;
  };

/** A moment by both clocks. */
export interface FoldTime {
  /** Milliseconds that never go backwards. */
  readonly nowMs: number;
  /** Unix microseconds. */
  readonly wallUs: bigint;
}
