/** Bounds of the control surface, each with the reason for its number (`validation.md` 2 and 3). */

/** Longest request line in bytes; a larger transfer goes through a file path, not through a line. */
export const LINE_BYTES_MAX = 1024 * 1024;

/** Longest reply line a client takes: 256 replies of a batch at up to 64 KiB each. */
export const REPLY_LINE_BYTES_MAX = 16 * 1024 * 1024;

/** Nested containers in one message; deeper ones are a parser's trouble, not a request. */
export const JSON_DEPTH_MAX = 128;

/** Members of one batch: as many as may be queued on a connection. */
export const BATCH_MEMBERS_MAX = 256;

/** Requests accepted on one connection whose replies are not written yet; reading stops there. */
export const QUEUED_REQUESTS_MAX = 256;

/** Unwritten reply bytes of one connection at which reading stops as well. */
export const QUEUED_BYTES_MAX = 1024 * 1024;

/** Unwritten bytes at which progress, which may be lost, is dropped. */
export const PROGRESS_BYTES_MAX = 256 * 1024;

/** Open connections: twice the 2,000 that liveness must bear. */
export const CONNECTIONS_MAX = 4096;

/** Silence in both directions after which a connection is closed. */
export const IDLE_MS = 300_000;

/** How often a connection that sends no more is looked at, whether anybody waits for its replies. */
export const GONE_LOOK_MS = 250;

/** Longest wait for running requests when the server stops. */
export const STOP_DRAIN_MS = 5000;

/** What a client is told to wait when it is turned away for load. */
export const RETRY_AFTER_MS = 1000;

/** After a refusal unread input is thrown away this long, so that the refusal arrives. */
export const LINGER_MS = 1000;

/** And at most this many bytes of it. */
export const LINGER_BYTES_MAX = 8 * 1024 * 1024;

/** Read at a time meanwhile: 128 reads reach the bound above. */
export const LINGER_READ_BYTES = 64 * 1024;

/** Answer time of a socket that is taken for live (`validation.md` 3.3). */
export const PROBE_MS = 50;

/** `sockaddr_un` holds 108 bytes, the last one a zero. */
export const SOCKET_PATH_BYTES_MAX = 107;

/** Calls of one client that wait for a reply. */
export const CLIENT_CALLS_MAX = 1024;

/** Entries of the socket folder looked at when leftovers are swept. */
export const SWEEP_ENTRIES_MAX = 1024;
