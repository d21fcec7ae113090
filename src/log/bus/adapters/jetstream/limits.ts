/** Bounds and defaults of the JetStream adapter (`storage.md` 2.6). */

/** Events published before their acknowledgements are waited for: two windows of 64 B events are 0.4 MB. */
export const WINDOW_EVENTS = 1_000;

/** Longest time that making a connection may take unless said otherwise, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** Longest time that a request, or one window of events, may take unless said otherwise, in milliseconds. */
export const REQUEST_TIMEOUT_MS = 5_000;

/** How long the server remembers ids of events unless said otherwise, in seconds. */
export const DEDUP_WINDOW_S = 3_600;
/** A week; the server holds every id of the window in memory. */
export const DEDUP_WINDOW_S_MAX = 604_800;

/** Copies that a server may be asked for. */
export const REPLICAS_MAX = 5;

/** A reader that the server made for one poll and that was not removed is gone after so many milliseconds. */
export const READER_IDLE_MS = 10_000;

/** Bytes that a message needs besides its event and its id: headers, their names and line ends. */
export const HEADER_BYTES = 64;

/** Sequence numbers above are not exact in JavaScript; no stream gets there in 2,000 years at 100,000 per second. */
export const SEQUENCE_MAX = Number.MAX_SAFE_INTEGER - 1;

/** How much longer the library waits for a request than the adapter does, in milliseconds. */
export const LIBRARY_EXTRA_MS = 1_000;
