/** Bounds of a folded log. */

/** Waiters of one adapter (`storage.md` 5). */
export const TOKEN_WAITERS_MAX = 1_024;

/**
 * Events that are remembered as set aside, about 200 bytes each: 50 KB when a log is full of them. All
 * are counted.
 */
export const SET_ASIDE_KEPT_MAX = 256;

/** Characters kept of the reason why an event was set aside; a model's message may quote what it read. */
export const SET_ASIDE_REASON_MAX = 200;

/** One log line for events that were set aside within this time of each other. */
export const SET_ASIDE_BURST_MS = 1_000;

/** Events asked of the log at a time: about 1 ms of folding for a quick model, and a few for one that takes 1 ms each. */
export const SLICE_EVENTS_MAX = 1_024;
export const SLICE_EVENTS_MIN = 8;

/** Milliseconds of folding after which other work has its turn. */
export const SLICE_MS_MAX = 8;

/** Readers that wait for a change at the same time, of one adapter. */
export const WATCHERS_MAX = 4_096;

/** Largest payload that is checked in a fold's own memory, which is one page of wasm; larger ones are copied. */
export const CHECKED_IN_PLACE_BYTES_MAX = 32 * 1024;

/** Memory in which pieces of a log are checked, unless one is larger: a log gives no more than so much at once. */
export const RUN_BYTES_MIN = 256 * 1024;

/** Numbers of events are plain numbers inside the engine. */
export const SEQ_MAX = 2n ** 53n - 1n;

/** Longest time a timer takes. */
export const TIMER_MS_MAX = 2 ** 31 - 1;
