/** Numbers of permission tokens and the bounds of what is kept of them (`identity-and-channels.md` 3-7). */

/** Longest life of a token in seconds, one year of 365 days; longer ones are refused on receipt too. */
export const TOKEN_TTL_SECONDS_MAX = 31_536_000;

/** Clock difference that is forgiven at most, in seconds; larger values count as this one. */
export const TOKEN_SKEW_SECONDS_MAX = 300;

/** Clock difference worth forgiving between machines that keep their time. */
export const TOKEN_SKEW_SECONDS_RECOMMENDED = 60;

/** Links of a chain: its count byte is 1 to this. */
export const TOKEN_CHAIN_LINKS_MAX = 8;

/** Slots of a token cache, one per subject and channel. With one token each, about 40 MB. */
export const TOKEN_CACHE_SLOTS_MAX = 65_536;

/** Tokens in one slot. Five scope bits make 31 scopes, so a slot holds every kind there is. */
export const TOKENS_PER_SLOT_MAX = 32;

/** Time between sweeps of a token cache. */
export const TOKEN_SWEEP_MS = 30_000;

/**
 * Issuers with a revocation floor: as many as a token cache has slots. Each takes about 200 B, 13 MB in
 * all; an operator raises them one by one.
 */
export const REVOKED_ISSUERS_MAX = 65_536;

/**
 * Bytes of a revocations file: an entry of pretty JSON takes up to 142 bytes, so the full table is
 * 9.3 MB. What is larger is not read.
 */
export const REVOCATION_FILE_BYTES_MAX = 10 * 1024 * 1024;
