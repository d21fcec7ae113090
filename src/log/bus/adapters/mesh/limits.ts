/** Bounds of the mesh adapter. */
import { EVENT_BYTES_MAX } from "../../limits.ts";

/** One message of a stream; fits a packet behind a relay (8,086 bytes) with room to spare. */
export const MESSAGE_BYTES_MAX = 8_000;
/** Events that travel together, in bytes, unless one alone is larger. */
export const PARCEL_BYTES = 1024 * 1024;
/** What a parcel may have: the largest event and what is around it. */
export const PARCEL_BYTES_MAX = EVENT_BYTES_MAX + 1024;
/** Parcels of one peer that are not complete, or wait to be kept, in bytes. */
export const HELD_BYTES_MAX = 4 * PARCEL_BYTES_MAX;
/** The same of all peers together. */
export const HELD_BYTES_IN_ALL_MAX = 4 * HELD_BYTES_MAX;
/** Peers that are told why their events are not taken, at once; others are not answered. */
export const TURNED_AWAY_MAX = 64;
/** Producers and shards whose repeats are told; the ones heard of longest ago go. */
export const PRODUCERS_MAX = 4_096;
/** Credit of the stream that carries events: a burst of a few batches. */
export const WINDOW_BYTES = 1024 * 1024;
/** Characters of an error that is sent back. */
export const REASON_MAX = 200;
/** Peers a bus takes events from. */
export const SOURCES_MAX = 64;
