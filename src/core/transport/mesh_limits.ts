/** Bounds of routing, ordering, scheduling and admission (`wire.md` 9.6, 12, 15), each with its reason. */

/** Destinations with a route: 16,384 × 67 B of columns is 1.1 MB, four times the peers of a node. */
export const ROUTES_MAX = 16_384;

/** One neighbour may fill half of the routing table: its inventions leave room for the others'. */
export const ROUTES_PER_HOP_SHARE = 0.5;

/** Edges between nodes, learned from pingwaves: two per origin and neighbour; 32 B each is 0.5 MB. */
export const EDGES_MAX = 16_384;

/** Longest path looked for in the topology: a routed packet starts with a time-to-live of 8. */
export const ALTERNATE_HOPS_MAX = 8;

/** A withdrawal for one (destination, excluded peer) is repeated no sooner. */
export const WITHDRAWAL_DAMPING_MS = 1_000;

/** Cascades running at once; one counts as running for the damping time. */
export const WITHDRAWAL_CASCADES_MAX = 64;

/** Remembered (destination, excluded peer) pairs: the cascades, and every peer failing at once. */
export const WITHDRAWAL_DAMPED_MAX = 4_096 + WITHDRAWAL_CASCADES_MAX;

/** Destinations remembered per sender: 1,024 × about 60 B; the oldest is forgotten beyond it. */
export const WITHDRAWAL_HISTORY_MAX = 1_024;

/** Bytes one ordered stream may hold behind a gap: four times the default window. */
export const REORDER_BYTES_MAX = 262_144;

/** Bytes all ordered streams of a node may hold behind gaps. */
export const REORDER_BYTES_TOTAL_MAX = 64 * 1_024 * 1_024;

/** A reader waits this long for one missing packet; senders of ours give up after about 7 s. */
export const REORDER_GAP_MS = 30_000;

/** Forwarding scheduler: packets per queue, packets per turn, queues, packets in all queues. */
export const SCHEDULER_DEPTH = 1_024;
export const SCHEDULER_QUANTUM = 16;
export const SCHEDULER_QUEUES_MAX = 8_192;
/** 16,384 × 1,200 B of relayed datagrams is 20 MB. */
export const SCHEDULER_ITEMS_MAX = 16_384;

/** Bytes sent to an address that proved nothing, per byte received from it. */
export const AMPLIFICATION_FACTOR = 3;
/** Unproven addresses remembered, and for how long after the last datagram. */
export const UNPROVEN_ADDRESSES_MAX = 4_096;
export const UNPROVEN_ADDRESS_MS = 30_000;

/** A lost packet is recognised by this many later ones that arrived (RFC 6675, DupThresh). */
export const SACK_LOSS_THRESHOLD = 3;
