/** Numbers of continuity (`storage.md` 8) and the bounds of what this folder keeps. */

/** Bytes of a continuity proof. */
export const CONTINUITY_PROOF_BYTES = 40;

/** Bytes of a fork record. */
export const FORK_RECORD_BYTES = 65;

/** Events between the ends of a proof: about 50 ms of hashing for whoever verifies it. */
export const PROOF_SPAN_MAX = 100_000;

/** Events of the other side in one reconciliation, for the same reason. */
export const RECONCILE_EVENTS_MAX = 100_000;

/** Entities an observation window knows; about 150 bytes each. */
export const OBSERVED_ENTITIES_MAX = 65_536;

/** Nodes whose subnet is known, and failures in the window; a window of 2 s never has more. */
export const CORRELATED_NODES_MAX = 65_536;

/** Partitions at once. Each needs a subnet of its own to fail; beyond this it is the whole mesh. */
export const PARTITIONS_MAX = 64;
