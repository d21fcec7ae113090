/** Bounds of the point-to-point adapter; the times are the reference's (`wire.md` 4.6, 14, 15). */

/** Events kept per shard unless configured: two bursts of a full ring's usual drain. */
export const EVENTS_DEFAULT = 65_536;
/** Bytes of events kept over all shards: what a peer that knows the secret can make this node hold. */
export const INBOX_BYTES_MAX = 64 * 1024 * 1024;

export const HEARTBEAT_DEFAULT_MS = 5_000;
export const SESSION_TIMEOUT_DEFAULT_MS = 30_000;
export const HANDSHAKE_TIMEOUT_MS = 5_000;
export const HANDSHAKE_ATTEMPTS = 3;
/** Times the number of the attempt. */
export const HANDSHAKE_PAUSE_MS = 100;
/** Handshake packets looked at per second. */
export const HANDSHAKES_PER_SECOND = 5;

/** Packets that wait for the socket: a quarter megabyte, as the kernel's own buffer. */
export const SEND_SLOTS = 32;
/** After so many packets the event loop turns, so that a peer on the same machine gets to read. */
export const PACKETS_PER_TURN = 16;
/** Two sessions, each with a key per direction. */
export const KEY_SLOTS = 8;
