/** Bounds of the event bus. */

/** Nesting of JSON that a filter looks into; the reference's own bound. */
export const JSON_DEPTH_MAX = 127;

/** A filter's JSON text, in characters: a few hundred clauses. */
export const FILTER_TEXT_MAX = 64 * 1024;
/** Filters within filters. */
export const FILTER_DEPTH_MAX = 32;
/** Clauses of a filter: each is tried on every event of a poll. */
export const FILTER_CLAUSES_MAX = 1_024;
/** Segments of a path; deeper than JSON may be is never found. */
export const FILTER_PATH_MAX = 128;

/** Shards: their number travels as u16. */
export const SHARDS_MAX = 65_535;
/** Slots of a ring, at least. */
export const RING_SLOTS_MIN = 1_024;
/** Slots of a ring, at most: 2^24 events of 64 bytes are a gigabyte. */
export const RING_SLOTS_MAX = 1 << 24;
/** Bytes that wait in a ring unless configured: the default slots filled with events of 64 bytes. */
export const RING_BYTES_DEFAULT = 64 * 1024 * 1024;
/** One event, in bytes; a record of the log holds no more. */
export const EVENT_BYTES_MAX = 16 * 1024 * 1024;

/** Events of a batch. */
export const BATCH_EVENTS_MAX = 1_000_000;
/** Tries of a batch: with pauses of up to 4 s this is over an hour. */
export const RETRIES_MAX = 1_000;

/** What a poll takes from one shard at once (`storage.md` 2.4). */
export const SHARD_FETCH_MAX = 10_000;
/** Events of a poll: as many as all shards of a small bus give at once. */
export const POLL_EVENTS_MAX = 100_000;
/** A cursor, in characters: 65,535 shards with ids of the usual length. */
export const CURSOR_TEXT_MAX = 4 * 1024 * 1024;
/** An id of a stored event, in characters. */
export const EVENT_ID_MAX = 256;

/** Waiting for the rings in a flush, and again, for what is on its way, at most this long (`storage.md` 2.3). */
export const FLUSH_RINGS_MS = 5_000;
export const FLUSH_BATCHES_MS = 2_000;
/** Handing over what is left in a shutdown (`storage.md` 2.3). */
export const SHUTDOWN_DRAIN_MS = 10_000;
/** How long a second caller waits for the first one's shutdown. */
export const SHUTDOWN_SECOND_MS = 10_000;
/** Draining a shard by hand waits this long, looking this often. */
export const DRAIN_WAIT_MS = 2_000;
export const DRAIN_POLL_MS = 50;
/** A draining shard ends after being empty this long. */
export const DRAIN_EMPTY_MS = 100;
