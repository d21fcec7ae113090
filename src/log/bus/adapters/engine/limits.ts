/** Bounds that both engines behind the bus share. */

/** Events that one poll of a shard gives at most, as the bus itself asks for (`storage.md` 2.4). */
export const POLL_EVENTS_MAX = 10_000;

/** Longest prefix of keys and streams; with `:shard:65535` it stays far below what engines take. */
export const PREFIX_LENGTH_MAX = 200;

/** First pause between two attempts to connect, in milliseconds; doubles up to the longest. */
export const CONNECT_PAUSE_MS = 50;
/** Longest pause between two attempts to connect, in milliseconds. */
export const CONNECT_PAUSE_MS_MAX = 500;

/** Longest time any deadline may be set to, in milliseconds: an hour; timers of 2^31 ms and more fire at once. */
export const TIMEOUT_MS_MAX = 3_600_000;

/** Most ids that a dedup helper remembers (`storage.md` 2.6): 2^24 ids of about 60 bytes are 1 GB. */
export const DEDUP_CAPACITY_MAX = 2 ** 24;

/**
 * Ids remembered unless said otherwise. 4096, the reference's default, is 0.4 s at 10,000 events per second; a repeat
 * can come as late as the 30 s that the bus gives an adapter, and with it the one before. 2^19 ids are 52 s.
 */
export const DEDUP_CAPACITY = 2 ** 19;

/** Longest text of an engine that goes into an error of ours. */
export const ENGINE_TEXT_LENGTH_MAX = 300;

/** How long it is taken for granted which shards an engine has, in milliseconds. */
export const SHARDS_KNOWN_MS = 1_000;
