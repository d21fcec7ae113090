/** Sizes of what is measured of calls (`nrpc.md` 15). */

/** Services with counters of their own; further names share one. */
export const METERED_SERVICES_MAX = 4_096;

/** Services in one exposition: forty series of a hundred bytes each are 1 MiB then. */
export const EXPOSED_SERVICES_MAX = 256;

/** Events that may wait for the observer. */
export const OBSERVER_EVENTS_MAX = 1_024;

/** Events handed to the observer in one turn; 64 cheap callbacks take well below a millisecond. */
export const OBSERVER_BATCH_EVENTS = 64;
