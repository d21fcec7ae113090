/** Bounds of the serving engine, each with its reason. */

/**
 * Handlers that run at a time for one service, over all callers and for one of them, when nothing else is said: each
 * is about 0.5 KB of bookkeeping beside its body, so that a crowd of callers whom a handler merely keeps waiting is
 * no overload.
 */
export const RUNNING_MAX = 32_768;
export const RUNNING_PER_PEER_MAX = 16_384;

/** Handlers that run at a time in a node: about 30 MB of bookkeeping; and those of one peer among them. */
export const RUNNING_TOTAL_MAX = 65_536;
export const RUNNING_PER_CALLER_MAX = 32_768;

/** Milliseconds a handler may take when nothing else is said; streams: between two items. */
export const HANDLER_TIMEOUT_MS = 60_000;

/** A caller's clock may be behind or ahead of ours by so much (`nrpc.md` 6). */
export const DEADLINE_TOLERANCE_MS = 10_000;

/** What an overloaded service says about trying again. */
export const RETRY_AFTER_MS_MIN = 10;
export const RETRY_AFTER_MS_MAX = 5_000;
/** What a caller is told while the node drains: it comes back, if at all, after a restart. */
export const DRAIN_RETRY_AFTER_MS = 3_000;
/** The same before any handler has ended. */
export const RETRY_AFTER_MS_FIRST = 250;

/**
 * Answers that wait for room on the way back to one caller of one service, and their bytes: all that run for it may
 * end at once, each with as much as a packet holds. Those of all its callers are twice that.
 */
export const REPLIES_WAITING_PER_CALLER_MAX = RUNNING_PER_PEER_MAX;
export const REPLY_BYTES_WAITING_PER_CALLER_MAX = 134_217_728;
export const REPLIES_WAITING_MAX = 2 * REPLIES_WAITING_PER_CALLER_MAX;
export const REPLY_BYTES_WAITING_MAX = 2 * REPLY_BYTES_WAITING_PER_CALLER_MAX;

/** Bytes of long answers under way, in a node: four of the greatest length; to one peer half of that. */
export const LARGE_REPLY_BYTES_MAX = 268_435_456;
export const LARGE_REPLY_BYTES_PER_CALLER_MAX = 134_217_728;

/** Milliseconds that closing in haste waits for handlers which do not mind their signal. */
export const CLOSE_GRACE_MS = 5_000;

/** Calls that have ended and are remembered, so that a request that comes again runs nothing: twice as many. */
export const RECENT_CALLS = 32_768;

/** Items of an upload that a caller may send before the handler takes them, when nothing else is said. */
export const UPLOAD_WINDOW = 64;

/** Items and bytes of one upload that wait for a handler when the caller minds no window. */
export const UPLOAD_ITEMS_MAX = 4_096;
export const UPLOAD_BYTES_MAX = 16_777_216;

/** Bytes of one upload that wait when the caller minds its window: four bodies of the greatest length. */
export const WINDOWED_BYTES_MAX = 268_435_456;

/** What an item that waits costs beside its bytes. */
export const ITEM_BYTES = 128;

/**
 * Bytes of requests that are being handled, of items that wait, and of long answers that wait for others, in a node
 * and for one peer: eight bodies of the greatest length, and four.
 */
export const HELD_BYTES_MAX = 536_870_912;
export const HELD_BYTES_PER_CALLER_MAX = 268_435_456;

/** Milliseconds to wait for a missing item of an upload while later ones are there. */
export const UPLOAD_GAP_MS = 10_000;

/** Items that overtook their request, per caller: how many, how many bytes, how long they wait. */
export const EARLY_ITEMS_MAX = 1_024;
export const EARLY_BYTES_MAX = 4_194_304;
export const EARLY_MS = 10_000;

/** Bytes of those in a node, over all callers: sixteen of them at their bound. */
export const EARLY_BYTES_TOTAL_MAX = 67_108_864;

/** Text of a failure that is sent back; the rest is cut off. */
export const FAILURE_TEXT_BYTES_MAX = 1_024;
