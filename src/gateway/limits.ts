/** Hardening defaults of the gateway (`onions.md` 18 and 22); a route may only tighten them. */

/** Requests that are served at once. */
export const IN_FLIGHT_MAX = 512;

/** What part of them one client of another machine may have: it takes this many to keep others out. */
export const CLIENT_SHARE = 8;

/** Requests in a second, all clients together. */
export const REQUESTS_PER_SECOND = 500;

/** Time until an answer begins; a route that has to ask other nodes has its own. */
export const ANSWER_MS = 5_000;

/** Body of a request; a route that stores bytes is bounded by the room of the store instead. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** What a client is told to wait when it was turned away. */
export const RETRY_AFTER_MS = 1_000;

/** The same while the node drains: it comes back, if at all, after a restart. */
export const DRAIN_RETRY_AFTER_MS = 3_000;

/** Longest `x-request-id` that is taken from a client. */
export const REQUEST_ID_CHARACTERS_MAX = 128;
