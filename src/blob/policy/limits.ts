/** Bounds of what policies keep (`dataforts.md` 16 to 18); each is fed from outside. */

export const HOUR_MS = 3_600_000;
export const MINUTE_MS = 60_000;
export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;

/** Chunks or chains whose heat is kept; one takes some 200 bytes, so that a full registry is 1.6 MB. */
export const HEAT_ENTRIES_MAX = 8_192;

/** Heat tags that are read of one announcement, and changes that one tick gives (`dataforts.md` 15). */
export const HEAT_TAGS_PER_ANNOUNCEMENT_MAX = 256;

/**
 * Chunks whose heat a node tells: an announcement of 8,104 bytes has room for 98 such tags and nothing else, so
 * that the 256 of the specification never fit. 64 are what nodes of ours believe of one node
 * (`core/capability/limits.ts`) and leave a third of the room to everything else.
 */
export const HEAT_TAGS_OWN_MAX = 64;

/** Migrations that one peer's claims may cause in one tick. */
export const MIGRATIONS_PER_PEER_MAX = 32;

/** Peers that one migration tick looks at: as many as the transport holds sessions with. */
export const MIGRATION_PEERS_MAX = 4_096;

/** Hashes whose last move is remembered: more than the moves of an hour at the highest rate that may be set. */
export const MOVES_REMEMBERED_MAX = 16_384;

/** Entries of one cache of warm things; 100 bytes each. */
export const WARM_ENTRIES_MAX = 262_144;

/** Chunks of one stored blob that a receipt waits for: the largest manifest twice over. */
export const RECEIPT_CHUNKS_MAX = 8_192;

/** Holders of one chunk that a receipt remembers; more say nothing more. */
export const RECEIPT_HOLDERS_MAX = 255;

/** Channels with counters of their own; the rest share one set. Four numbers each. */
export const METRIC_CHANNELS_MAX = 1_024;
