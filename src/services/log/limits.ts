/** Bounds of the log, the bus and the database as a node runs them, each with the reason for its number. */

/** Channel files open at once: each has three descriptors, and a process 1,024 of them by default. */
export const OPEN_FILES_MAX = 128;

/** Folds open at once, each of which keeps a file open: half of the files, so that logs have room beside them. */
export const FOLDS_MAX = 64;

/** Events of one append over the control surface: more than its line of 1 MiB could hold of any use. */
export const APPEND_EVENTS_MAX = 16_384;

/** Largest event that is taken over the control surface; larger things are blobs. */
export const EVENT_BYTES_MAX = 64 * 1024 * 1024;

/** Events and bytes looked at between two turns of the loop while a log is read. */
export const READ_EVENTS = 1_024;

/** How long a tail whose file was closed and opened anew waits before it looks again. */
export const REOPEN_MS = 20;

/** Tries of a batch of the bus while its engine is away: with pauses up to 3.2 s about a minute. */
export const BUS_RETRIES = 20;

/** An address is below 1 KiB; anything far larger is none. */
export const BUS_URL_BYTES_MAX = 16 * 1024;

/** Time that the bus has to hand over what is waiting when the node stops: half of what the node has in all. */
export const BUS_STOP_MS = 3_000;

/** Reading goes on for so long before others have their turn: liveness answers within 50 ms. */
export const SLICE_MS = 10;
