/** Numbers of capability announcements (`capabilities.md` 6) and the bounds of what is kept of them. */

/** An announcement is one event, and no event is longer. */
export const ANNOUNCEMENT_BYTES_MAX = 8_104;

/** A set on its own, kept or handed over outside an announcement: eight times what can be announced. */
export const CAPABILITY_SET_BYTES_MAX = 65_536;

/**
 * A diff of two sets: a change of every tag that can be announced takes some 500 steps, and they no more
 * room than the set itself may.
 */
export const DIFF_OPS_MAX = 1_024;
export const DIFF_BYTES_MAX = 65_536;

/** A bloom filter: 500 KiB, forty times what 10,000 entries with 1 % of wrong answers take. */
export const BLOOM_BITS_MAX = 500 * 1024 * 8;

/** Entries of one allow-list; one more and receivers drop the announcement. */
export const ALLOWED_MAX = 64;

/** Bytes of a subnet and of a group in an allow-list. */
export const SUBNET_BYTES = 16;
export const GROUP_BYTES = 32;

/** Objects and arrays inside each other; the reference stops at about the same depth. */
export const JSON_DEPTH_MAX = 127;

/** An announcement that took this many hops is used but not passed on. */
export const FORWARD_HOPS_MAX = 15;

/**
 * Sending: time between broadcasts of somebody who keeps changing, changes that go out at once after a quiet
 * time, time between repetitions, wait for further changes.
 */
export const ANNOUNCE_GAP_MS = 10_000;
export const ANNOUNCE_BURST = 6;
export const ANNOUNCE_REPEAT_MS = 150_000;
export const ANNOUNCE_DEBOUNCE_MS = 100;

/** Life of an announcement: two repetitions. */
export const ANNOUNCEMENT_TTL_SECONDS = 300;

/** An announcement is not believed longer than this, whatever time to live its origin wrote. */
export const ANNOUNCEMENT_LIFE_MS_MAX = 24 * 60 * 60 * 1000;

/** What is gone leaves its timestamp behind for this long, so that it cannot be replayed. */
export const PAST_ORIGIN_MS = 600_000;

/** Origins kept: four times the peers a node can have. */
export const ORIGINS_MAX = 16_384;

/**
 * Bytes on the wire of all announcements kept, and tags and metadata entries: 2 KB and 24 of each origin,
 * where a usual one has 1 KB and 20. The shortest tags take far more memory than bytes, so both are bounded;
 * the index has room for a third more terms than these.
 */
export const ORIGIN_BYTES_MAX = 2_048 * ORIGINS_MAX;
export const ORIGIN_TERMS_MAX = 24 * ORIGINS_MAX;

/** One neighbour fills no more than this part of the table, and of its memory, with what it forwards. */
export const ORIGINS_PER_NEIGHBOR_MAX = ORIGINS_MAX / 2;

/**
 * Announcements taken from one neighbour per second, and at once after a pause. A signature costs about
 * 40 µs, so a neighbour takes 2 % of a core; 500 per second carry 75,000 nodes at one per 150 s.
 */
export const NEIGHBOR_PER_SECOND = 500;
export const NEIGHBOR_BURST = 1_000;

/** Neighbours whose rate is remembered: the peers a node can have. */
export const NEIGHBORS_MAX = 4_096;

/** New versions of one origin: at once after a pause, and per second; honest ones stay below the half of it. */
export const ORIGIN_BURST = 8;
export const ORIGIN_PER_SECOND = 0.5;

/**
 * Blobs whose heat is believed of one node. A tag of one takes 80 bytes, so that an announcement could hold
 * a hundred; the hottest few are what placement looks at.
 */
export const BLOB_HEAT_TAGS_MAX = 64;

/**
 * An announcement kept over a restart is answered from, marked stale, for this long at least: two
 * repetitions, within which its origin has either said something new or is gone.
 */
export const RESTORED_LIFE_MS = ANNOUNCEMENT_TTL_SECONDS * 1000;

/**
 * Origins whose key is kept ready: as many as a node can have peers. Each takes 0.6 KB (2.5 MB in all) and
 * saves a fifth of the work of its next announcement.
 */
export const VERIFIERS_MAX = NEIGHBORS_MAX;
