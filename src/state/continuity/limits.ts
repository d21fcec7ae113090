/** Numbers of continuity (`storage.md` 8) and the bounds of what this folder keeps. */

/** Bytes of a continuity proof. */
export const CONTINUITY_PROOF_BYTES = 40;

/** Bytes of a fork record. */
export const FORK_RECORD_BYTES = 65;

/** Events between the ends of a proof: 50 to 100 ms of hashing for whoever verifies it. */
export const PROOF_SPAN_MAX = 100_000;

/** Events of the other side in one reconciliation, for the same reason. */
export const RECONCILE_EVENTS_MAX = 100_000;

/** Entities an observation window knows; about 150 bytes each. */
export const OBSERVED_ENTITIES_MAX = 65_536;

/** Nodes whose subnet is known, and failures in the window; a window of 2 s never has more. */
export const CORRELATED_NODES_MAX = 65_536;

/**
 * Partitions at once, each with a horizon of its own: 16 full ones are 105 MB. When more subnets than that are cut
 * off, it is the whole mesh that is.
 */
export const PARTITIONS_MAX = 16;
