/** Bounds of what is kept and carried of folds (`capabilities.md` 11). */
import { MAX_EVENT_BYTES } from "../../transport/mod.ts";
import { ANNOUNCEMENT_LIFE_MS_MAX } from "../limits.ts";
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
 * Entries of one publisher. The transport takes 20 envelopes a second from a neighbour, and an entry has
 * to be said twice within its life to survive a loss: 10 a second times 60, 300, 30 and 30 s.
 */
export const PUBLISHER_ENTRIES_MAX: Readonly<Record<FoldKindNumber, number>> = {
  1: 600,
  2: 3_000,
  3: 300,
  4: 300,
};

/** Rejected and other events that the ring of an audit keeps when nothing else is asked for. */
export const AUDIT_RING_CAPACITY = 1_024;
