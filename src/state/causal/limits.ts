/** Sizes of causal state (`storage.md` 7) and the bounds of everything this folder keeps. */

/** Bytes of an encoded link. */
export const CAUSAL_LINK_BYTES = 32;

/** Largest 64-bit number: a chain that got here ends. */
export const SEQUENCE_MAX = 0xffff_ffff_ffff_ffffn;

/** The length in front of an event has 32 bits and counts the link too. */
export const EVENT_PAYLOAD_BYTES_MAX = 0xffff_ffff - CAUSAL_LINK_BYTES;

/** State and bindings of a snapshot: their lengths have 32 bits. */
export const SNAPSHOT_PART_BYTES_MAX = 0xffff_ffff;

/**
 * Origins a horizon remembers exactly. As many as nodes in the largest mesh this is meant for; at about 100
 * bytes each 6.5 MB. The Bloom bits of those it forgets stay set.
 */
export const HORIZON_ORIGINS_MAX = 65_536;

/**
 * Events and payload bytes that a log keeps before it has to be pruned: 1,000,000 events are about 250 MB with
 * their links.
 */
export const LOG_EVENTS_MAX = 1_000_000;
export const LOG_BYTES_MAX = 256 * 1024 * 1024;

/** Places of a log at which a restore may have anchored the chain anew; the oldest is forgotten. */
export const LOG_RESTORES_MAX = 1_024;

/** Entities of a snapshot store. */
export const STORE_ENTITIES_MAX = 4_096;

/** Marks that outlive their snapshots: 16 times as many, some 150 bytes each. */
export const STORE_MARKS_MAX = 65_536;

/** Bytes of all snapshots of a store: 4,096 of 64 KiB. */
export const STORE_BYTES_MAX = 256 * 1024 * 1024;

/** Origins that one receiver follows; some 300 bytes each without held events. */
export const RECEIVER_ORIGINS_MAX = 4_096;

/**
 * Events a receiver holds back, of one origin and in all. A window of 65,536 bytes (`wire.md` 7) has room for 1,820
 * framed events without payload: one missing in front of it may hold up all of them. In all eight times that.
 */
export const RECEIVER_HELD_PER_ORIGIN_MAX = 2_048;
export const RECEIVER_HELD_MAX = 16_384;

/** Bytes of what is held: 128 windows. */
export const RECEIVER_HELD_BYTES_MAX = 8 * 1024 * 1024;

/** What a held cause counts for: two numbers and the pair of them. */
export const HELD_CAUSE_BYTES = 96;

/**
 * Gaps that an event is held against by Bloom bits; more is never looked at. The bits of more than 16 origins name
 * every second one, so nothing is learned from the 65th.
 */
export const RECEIVER_GAPS_MAX = 64;

/** Different events that claim one place in a chain; only the link of the next one tells which is right. */
export const RECEIVER_RIVALS_MAX = 4;

/** Causes that one event may name beside its Bloom bits. */
export const CAUSES_MAX = 4_096;

/** Origins of which a chain does without some causes that never came. */
export const RECEIVER_EXCUSED_MAX = 64;

/** How long a missing event is waited for: three resends at the longest time between them (`wire.md` 7.4). */
export const RECEIVER_PATIENCE_MS = 6_000;
