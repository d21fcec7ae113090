/** Bounds of what is kept and carried of folds (`capabilities.md` 11). */
import { MAX_EVENT_BYTES } from "../../transport/mod.ts";
import { ANNOUNCEMENT_LIFE_MS_MAX, FORWARD_HOPS_MAX, ORIGINS_MAX } from "../limits.ts";
import type { FoldKindNumber } from "./kinds.ts";

/** An envelope is one event, and no event is longer. */
export const FOLD_ENVELOPE_BYTES_MAX = MAX_EVENT_BYTES;

/** No entry lives longer, whatever its publisher wrote: as long as an announcement. */
export const FOLD_LIFE_MS_MAX = ANNOUNCEMENT_LIFE_MS_MAX;

/** Expired entries are taken away this often; nobody sees them in between. */
export const FOLD_SWEEP_MS = 500;

/**
 * What an entry takes in memory, at most: 512 bytes for itself and 8 for each byte on the wire, because a
 * tag of one letter is 2 bytes there and 16 here. A usual envelope of 250 bytes counts as 2.5 KB and
 * takes half of that.
 */
export const ENTRY_BYTES = 512;
export const ENTRY_BYTES_PER_WIRE_BYTE = 8;

/**
 * Memory of each fold. Memberships: 16,384 nodes (as many as announcements are kept of) with 4 KB each.
 * Others: 16,384 entries of the usual 130 bytes on the wire, which count as 1.5 KB.
 */
export const FOLD_BYTES_MAX: Readonly<Record<FoldKindNumber, number>> = {
  1: 64 * 1024 * 1024,
  2: 32 * 1024 * 1024,
  3: 32 * 1024 * 1024,
  4: 32 * 1024 * 1024,
};

/**
 * Entries of one publisher. Of one neighbour's own envelopes 20 a second are expected, and an entry has to be
 * said twice within its life to survive a loss: 10 a second times 60, 300, 30 and 30 s.
 */
export const PUBLISHER_ENTRIES_MAX: Readonly<Record<FoldKindNumber, number>> = {
  1: 600,
  2: 3_000,
  3: 300,
  4: 300,
};

/** A statement that went through this many nodes is used but not passed on: as far as announcements go. */
export const RELAY_HOPS_MAX = FORWARD_HOPS_MAX;

/**
 * How far the clocks of publisher and receiver may be apart for what is passed on: a statement is good until
 * its life, counted from when it was signed, is over by this much, so that nobody can keep it alive.
 */
export const RELAY_SKEW_MS = 60_000;

/**
 * Statements taken from one neighbour that passes them on, and from all of them, per second and at once. A
 * signature costs about 40 µs: 500 are 2 % of a core, and carry 5,000 entries that are said every 10 s.
 */
export const RELAY_NEIGHBOR_RATE = { perSecond: 200, burst: 400 };
export const RELAY_TOTAL_RATE = { perSecond: 500, burst: 1_000 };

/** Statements of one publisher that are passed on; a hundred entries that are said every 10 s. */
export const RELAY_ORIGIN_RATE = { perSecond: 10, burst: 100 };

/** Neighbours and publishers whose rate is remembered: peers a node can have, origins it knows. */
export const RELAY_NEIGHBORS_MAX = 4_096;
export const RELAY_ORIGINS_MAX = ORIGINS_MAX;

/**
 * Statements remembered beyond the life of their entry, so that the last copies under way do not bring it
 * back: what 500 a second make in a minute, at about 150 bytes each (4.5 MB).
 */
export const RELAY_SEEN_MAX = 30_000;

/**
 * Entries of its own that this node keeps up. Each is said three times within its life, at no more than half
 * of the 20 envelopes a second that a neighbour expects: 10 a second times 20, 100, 10 and 10 s.
 */
export const OWN_ENTRIES_MAX: Readonly<Record<FoldKindNumber, number>> = {
  1: 200,
  2: 1_000,
  3: 100,
  4: 100,
};

/** Rejected and other events that the ring of an audit keeps when nothing else is asked for. */
export const AUDIT_RING_CAPACITY = 1_024;
