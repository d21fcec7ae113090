/** Numbers of traversal (`nrpc.md` 16, `wire.md` 13) and the bounds of everything kept for it. */

/** Patience of a question for the own address. */
export const REFLEX_TIMEOUT_MS = 3_000;

/** Fewer answers than this say nothing about a NAT. */
export const REFLEX_ANSWERS_MIN = 2;
/** More peers than this are not asked at once: two tell cone from symmetric, the rest is for loss. */
export const REFLEX_PEERS_MAX = 8;

/** Requests a coordinator takes of one peer, refused ones included, and introductions a node follows. */
export const PUNCHES_PER_WINDOW = 4;
export const PUNCH_WINDOW_MS = 10_000;
/** Peers whose requests are counted: 1,024 × about 100 B; the longest quiet one makes room. */
export const PUNCH_PEERS_MAX = 1_024;

/** An introduction fires so much later: both sides have it by then. */
export const PUNCH_LEAD_MS = 500;
/** A train begins no later than this, whatever the wall clocks say, and ends this long after it was told. */
export const PUNCH_DEADLINE_MS = 5_000;
/** Trains at once, of those asked for and of others each: 8 × 4 datagrams of 14 bytes a second. */
export const PUNCH_TRAINS_MAX = 8;

/** Pairs a coordinator introduced and whose acks it passes on, for a window: 1,024 × about 100 B. */
export const INTRODUCTIONS_MAX = 1_024;

/** Direct connections being sought at once. */
export const CONNECTS_MAX = 64;
/** Coordinators, and relays, asked one after the other. */
export const COORDINATORS_MAX = 3;
/** Addresses a handshake is sent to at once, as many as a ticket holds. */
export const DIAL_ADDRESSES_MAX = 8;
/** Reports kept of the peers sought last: 256 × about 2 KB. */
export const REPORTS_MAX = 256;
/** Longest time for all ways to a peer together. */
export const CONNECT_TIMEOUT_MS = 20_000;

/** Relayed peers looked after for an upgrade: 1,024 × about 100 B. */
export const UPGRADE_PEERS_MAX = 1_024;
export const UPGRADE_PAUSE_MS = 2_000;
export const UPGRADE_PAUSE_MS_MAX = 64_000;
/** Share of a pause added at random. */
export const UPGRADE_JITTER = 0.25;
