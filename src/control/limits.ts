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

/** Share of the process's descriptors that they may have; the mesh, files and HTTP need the others. */
export const FILES_SHARE = 0.5;

/** Share of them that strangers may have, so that the node's own user always gets in. */
export const STRANGER_SHARE = 0.75;

/** Work on requests before the sockets are looked at again; a tenth of the 50 ms that liveness has. */
export const TURN_MS = 4;

/** Connections served in one turn of a crowd: a read and a write of each are half of 128 operations. */
export const TURN_CONNECTIONS_MAX = 32;

/** Connections from which on they are a crowd; a read and a write of all of them fit into one poll. */
export const CROWD_CONNECTIONS_MIN = 64;

/** Lines of one connection in one turn: about half a millisecond of the quick ones. */
export const TURN_LINES_MAX = 32;

/** Input that is looked at for a question about health, which comes first: one short line. */
export const URGENT_BYTES_MAX = 256;

/** Connections accepted before the loop goes on: none of them takes a tenth of a millisecond. */
export const ACCEPTS_PER_TURN = 16;

/** Replies of one batch; the members behind are refused as overload. */
export const BATCH_REPLY_BYTES_MAX = 1024 * 1024;

/** Unread input of all strangers together, beside the 2 KiB that each connection has: 64 full lines. */
export const STRANGERS_INPUT_BYTES_MAX = 64 * 1024 * 1024;

/** The same for all connections of the node's own user. */
export const OWN_INPUT_BYTES_MAX = 256 * 1024 * 1024;

/** Unwritten replies to all strangers together; above it they get refusals, and health. */
export const STRANGERS_OUTPUT_BYTES_MAX = 32 * 1024 * 1024;

/** The same for all connections of the node's own user. */
export const OWN_OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** While replies are above their bound, a connection that takes none of its own so long is closed. */
export const STALLED_MS = 5000;

/** Silence in both directions after which a connection is closed. */
export const IDLE_MS = 300_000;

/** Longest BTSP handshake: four messages and a millisecond of work. */
export const HANDSHAKE_MS = 5000;

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
