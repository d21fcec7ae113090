/** Bounds of the HTTP server: sizes in bytes, times in milliseconds. */

/** Request line and headers; common servers take 8 to 16 KiB. */
export const HEAD_BYTES_MAX = 16 * 1024;

/** The part of it that names what is asked for. */
export const TARGET_BYTES_MAX = 8 * 1024;

/** Header lines of one request. */
export const HEADERS_MAX = 100;

/** First room for a head: an idle connection holds no more than this. */
export const HEAD_BYTES_FIRST = 2 * 1024;

/** Bytes of a body that are read at once and handed on. */
export const BODY_PIECE_BYTES = 64 * 1024;

/** Line with the size of a chunk, or of a trailer. */
export const CHUNK_LINE_BYTES_MAX = 1_024;

/** Lines behind the last chunk; they are read and dropped. */
export const TRAILERS_MAX = 32;

/** Body nobody read: so much of it is read and dropped to keep the connection, else it is closed. */
export const DRAIN_BYTES_MAX = 64 * 1024;

/** Connections at once (`dataforts.md` 24). Beyond it the one that is idle for the longest makes room. */
export const CONNECTIONS_MAX = 2_048;

/** Share of the process's descriptors that they may have: half of what the control surface has. */
export const FILES_SHARE = 0.25;

/** From the first byte of a request to the end of its head. */
export const HEAD_MS = 5_000;

/** Silence before the first request of a connection, and between two. */
export const IDLE_MS = 60_000;

/** Silence inside the body of a request. */
export const BODY_IDLE_MS = 10_000;

/** Time in which a reader has to take {@linkcode WRITE_PROGRESS_BYTES} of an answer, or its end. */
export const WRITE_IDLE_MS = 30_000;
export const WRITE_PROGRESS_BYTES = 16 * 1024;

/** How long answers that are under way may take when the server stops. */
export const STOP_MS = 2_000;

/** How often deadlines are looked at. */
export const SWEEP_MS = 500;

/** Pause after an accept that failed, for example for want of descriptors. */
export const ACCEPT_RETRY_MS = 50;
