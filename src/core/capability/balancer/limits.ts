/** Numbers of load balancing (`capabilities.md` 17, `compute.md` 10). */

/** Endpoints of one balancer: the peers a node can have. Their ring takes 7 MB. */
export const ENDPOINTS_MAX = 4_096;

/** Points of one endpoint on the hash ring. */
export const RING_POINTS = 150;

/** Weight of an endpoint that names none. */
export const WEIGHT_DEFAULT = 100;

/** Calls that one endpoint may have under way. */
export const CONNECTIONS_MAX = 10_000;

/** Failures in a row that open a circuit, and how long it stays open. */
export const CIRCUIT_FAILURES = 5;
export const CIRCUIT_RECOVERY_MS = 30_000;

/** Metrics older than this count as none. */
export const METRICS_STALE_MS = 10_000;

/** Above this mean load the adaptive strategy looks at connections only. */
export const ADAPTIVE_LOAD = 0.7;

/** Tags of one endpoint and of one request; each is looked at on every pick that names any. */
export const BALANCER_TAGS_MAX = 64;
