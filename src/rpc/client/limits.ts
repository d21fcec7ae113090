/** Bounds of the caller's engine. */

/** Calls that wait for an answer at a time, over all services: about 30 MB of bookkeeping. */
export const CALLS_PENDING_MAX = 65_536;

/** Milliseconds that a unary call may take when nothing else is said. */
export const UNARY_TIMEOUT_MS = 30_000;

/** Milliseconds a caller may ask for, one year; longer ones are none. */
export const TIMEOUT_MS_MAX = 31_536_000_000;

/** Response items that may wait for the reader when nothing else is said. */
export const STREAM_WINDOW = 256;

/** Request items that may leave before a peer of ours grants more, when nothing else is said. */
export const REQUEST_WINDOW = 64;

/** Bytes of response items that may wait for one reader: four bodies of the greatest length. */
export const RESPONSE_BYTES_WAITING_MAX = 268_435_456;

/**
 * Response items of a duplex call that may wait for the reader when the peer ignores windows (`nrpc.md` 9):
 * what it can send in a second.
 */
export const UNWINDOWED_ITEMS_MAX = 65_536;

/**
 * Milliseconds to wait for a missing item of a stream while later ones are there: what a session survives without
 * a word, so that a path that is merely bad ends no stream.
 */
export const ITEM_GAP_MS = 30_000;

/** Sends of one upload that may wait, and reads of one stream. */
export const TURNS_WAITING_MAX = 1_024;

/** Cancels that wait for room on their link; each is 32 bytes. */
export const CANCELS_WAITING_MAX = 65_536;

/** Service names whose encoded form is kept. */
export const SERVICES_KEPT_MAX = 1_024;

/** Cancel tokens that something is known of: as many as calls. */
export const CANCEL_TOKENS_MAX = 65_536;

/** Milliseconds that a cancel waits for its call, and that a token is known after its last call. */
export const CANCEL_KEPT_MS = 120_000;

/** Milliseconds between two looks for tokens that are over. */
export const CANCEL_SWEEP_MS = 1_000;

/** Random bytes drawn at a time: 512 call ids. */
export const CALL_ID_POOL_BYTES = 4_096;
