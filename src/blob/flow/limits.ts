/** Bounds of what moves by itself; what is fed from outside has a number here. */
import { MINUTE_MS } from "../policy/limits.ts";

/** Time between two tellings of heat: half of a chunk's half-life, in which no rate halves twice. */
export const HEAT_GAP_MS = 30_000;

/** Time between two tellings of free space alone; whatever else changes is told at once. */
export const ROOM_GAP_MS = MINUTE_MS;

/** Chunks looked at for shedding in one tick; four times the pushes that a tick makes by default. */
export const CANDIDATES_MAX = 64;

/** Chunks of peers that one gravity tick looks at: as many as two full announcements of every tenth session. */
export const HOT_CHUNKS_MAX = 4_096;

/** Pulls that run, and that wait. One in memory is 4 MiB as a rule, 16 MiB at most. */
export const PULLS_RUNNING_MAX = 4;
export const PULLS_WAITING_MAX = 256;

/** Time that one pull may take. */
export const PULL_TIMEOUT_MS = 120_000;

/** Time to get a chunk for a peer that is waiting for it. */
export const PASS_TIMEOUT_MS = 20_000;

/** Such chunks on their way at a time, 16 MiB each at most, and requests that wait for one. */
export const PASSES_RUNNING_MAX = 4;
export const PASSES_WAITING_MAX = 32;

/** Chunks whose failed pulls are remembered, and how long the next try waits: doubles up to an hour. */
export const FAILURES_MAX = 4_096;
export const RETRY_MIN_MS = 10_000;
export const RETRY_MAX_MS = 60 * MINUTE_MS;

/** Pushes that run at a time; each holds one chunk while it is proven. */
export const PUSHES_RUNNING_MAX = 4;

/** How long an offer waits for its answer, and how long the receiver fetches before it answers anyway. */
export const OFFER_TIMEOUT_MS = MINUTE_MS;
export const OFFER_ANSWER_MS = 15_000;

/** When a peer that accepted is asked for its proof: it may still be fetching. */
export const PROOF_DELAYS_MS = [0, 2_000, 5_000, 15_000, 45_000] as const;
export const PROOF_TIMEOUT_MS = 30_000;

/**
 * Proofs that one peer is given in an hour, each a chunk that is read and hashed: eight times the moves of an hour by
 * default, so that an honest one may ask again and renew. 16 GiB an hour are 4 % of a slow disk.
 */
export const PROOFS_PER_PEER_MAX = 4_096;

/** Peers whose questions are counted; the one that asked least lately makes room. */
export const ASKING_PEERS_MAX = 1_024;

/** Offers of peers that are worked on, over all and of one. */
export const ARRIVALS_RUNNING_MAX = 16;
export const ARRIVALS_PER_PEER_MAX = 4;

/** Peers whose arrivals are counted; the one that was heard of least lately makes room. */
export const ARRIVAL_PEERS_MAX = 1_024;

/** One peer's share of the arrivals of an hour. */
export const ARRIVALS_PEER_SHARE = 0.25;

/** Share of the store that may be promised to others. */
export const LEASE_SHARE = 0.5;

/** A promise to keep a chunk for a peer lasts so long unless it is renewed; renewed after a quarter of it. */
export const LEASE_MS = 30 * 24 * 60 * MINUTE_MS;
export const LEASE_RENEW_MS = LEASE_MS / 4;

/** Promises renewed in one tick. */
export const RENEWALS_PER_TICK_MAX = 64;

/** Promises that a node remembers to have given: 100 bytes each in memory, a row each in the ledger. */
export const LEASES_MAX = 262_144;

/** Chunks of one channel that the cache holds (`dataforts.md` 10). */
export const CHANNEL_CHUNKS_MAX = 8_192;

/** Channels in the cache. */
export const CACHED_CHANNELS_MAX = 4_096;

/** Hashes whose size is known from references that passed by; 120 bytes each. */
export const SIZES_MAX = 65_536;

/** A transfer below this says little about the link. */
export const LINK_SAMPLE_BYTES_MIN = 256 * 1_024;
