/** Bounds and defaults of the Redis adapter (`storage.md` 2.6). */

/** Events in one MULTI unless said otherwise. */
export const PIPELINE_EVENTS = 1_000;
/** Redis serves nobody else while it runs a MULTI: 10,000 XADDs are some 20 ms. */
export const PIPELINE_EVENTS_MAX = 10_000;

/** Longest time that making a connection may take unless said otherwise, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** Longest time that a command, or one MULTI, may take unless said otherwise, in milliseconds. */
export const COMMAND_TIMEOUT_MS = 1_000;

/** Times that one command follows a slot of a cluster to another node. */
export const REDIRECTIONS_MAX = 5;

/**
 * Keys asked for at once when looking for shards. They are numbered from 0 on, so the first such run without any ends
 * the search; looking through all keys of the database could take seconds.
 */
export const SHARDS_RUN = 64;
/** One more than the largest number of a shard. */
export const SHARDS_END = 65_536;
