/** Bounds of everything that the log's files keep, each with where the number comes from. */

/** Largest number of an event: what a plain number counts exactly. */
export const SEQ_MAX = Number.MAX_SAFE_INTEGER;

/** Bytes of an index record; what an event counts for besides its payload (`storage.md` 3.1). */
export const RECORD_BYTES = 20;

/** Payload of an event that is kept in its index record. */
export const INLINE_BYTES = 8;

/** What a channel in memory keeps at most, payloads and 20 per record: the live segment of `storage.md` 3.3. */
export const MEMORY_BYTES_MAX = 3 * 1024 ** 3;

/** Records of a block of a channel in memory: retention gives back whole blocks. */
export const BLOCK_RECORDS = 1_024;

/** Payload bytes of such a block; a larger payload has a block of its own. */
export const BLOCK_BYTES = 256 * 1024;

/** What the first block of a channel begins with; it grows. A node has many channels with a few events. */
export const BLOCK_FIRST_BYTES = 1_024;
export const BLOCK_FIRST_RECORDS = 16;

/** Files open at once: with three handles each 12,288, below the usual hard limit on open files. */
export const FILES_OPEN_MAX = 4_096;

/** Tails of one file: a tail that waits costs about 300 bytes, so these are 20 MB. */
export const TAILS_MAX = 65_536;

/** Most bytes that one read for a tail asks for, so that a take of many items stays small in memory. */
export const TAIL_READ_BYTES = 1024 * 1024;

/** Items that an async iterator of a tail takes at once. */
export const TAIL_ITERATOR_ITEMS = 256;

/** Most bytes asked for at once by a range read. */
export const RANGE_READ_BYTES = 4 * 1024 * 1024;

/** How often retention runs by itself when nothing else was said. */
export const SWEEP_MS = 5_000;

/** Longest time of a timer: what the platform's timers hold, 24.8 days. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** Writers that may hold a place in the order of appends at once. */
export const TURNS_MAX = 65_536;

/** Pairs of key and member that an index holds; about 100 bytes each. */
export const INDEX_PAIRS_MAX = 1_000_000;

/** Calls of one tail that wait, and of an index: more is a caller that does not wait for its answers. */
export const WAITING_MAX = 1_024;
