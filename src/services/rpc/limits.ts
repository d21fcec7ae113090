/** Bounds of the service that carries calls, each with its reason. */

/** Links to servers that are ready (`nrpc.md` 5); the one not used for longest makes room. */
export const READY_MAX = 1_024;

/** Links being opened; who calls more services at once is told to wait. */
export const OPENING_MAX = 1_024;
export const OPENING_RETRY_MS = 100;

/** Reply channels of origins that no session proves, per service (`nrpc.md` 15); the oldest makes room. */
export const UNPROVEN_REPLIES_MAX = 4_096;

/**
 * Credit window of streams between nodes of ours: 200 MB/s over a round trip of 10 ms. The memory is that of the
 * transport, which bounds what a session has in flight.
 */
export const WINDOW_BYTES = 2_097_152;

/** How long a request to subscribe is repeated, and after which pauses, doubled up to the longest. */
export const SUBSCRIBE_MS = 5_000;
export const SUBSCRIBE_REPEAT_MS = 250;
export const SUBSCRIBE_REPEAT_MS_MAX = 1_000;

/**
 * Pauses after Unauthorized answers, while the announcement that says who asks may still be on its way: two as
 * in the Rust core (`nrpc.md` 5), and one longer than a slow round trip.
 */
export const UNAUTHORIZED_PAUSES_MS: readonly number[] = [8, 16, 200];

/** A peer that does not offer a service, or lets this node in, is not asked again for so long. */
export const REFUSED_MS = 1_000;
export const REFUSALS_MAX = 256;

/** What a full list of subscriptions, or a throttle of 30 s, says about trying again. */
export const SUBSCRIBE_RETRY_MS = 31_000;

/** An announcement follows its session; so long that of a sealed peer is waited for, and that of another. */
export const SEALED_ANNOUNCEMENT_MS = 1_000;
export const OTHER_ANNOUNCEMENT_MS = 250;

/** Of the session timeout: silence after which a peer with links is asked for a sign, and given up. */
export const SILENCE_ASK_SHARE = 0.75;
export const SILENCE_END_SHARE = 1.25;
export const SILENCE_LOOK_SHARE = 0.25;

/** Bytes on the way from a node to itself before bulk waits for the next turn. */
export const LOOPBACK_BYTES_MAX = 262_144;
