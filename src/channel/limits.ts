/** Bounds of everything the channel plane keeps, each with its reason. */

/**
 * Pairs of principal and channel the AuthGuard remembers: 8 channels for each of 16,384 peers. A pair takes
 * two slots of 20 B and about 30 B by name, 9 MB together.
 */
export const AUTH_ENTRIES_MAX = 131_072;

/** Rules of a subnet policy: sixteen for each of the four levels. */
export const SUBNET_RULES_MAX = 64;

/** Nodes whose subnet is known: the nodes whose announcements are kept, 20 B each. */
export const SUBNET_ASSIGNMENTS_MAX = 16_384;

/** Channels a gateway exports, and subnets each is exported to: a table of at most 256 KB. */
export const EXPORTS_MAX = 1_024;
export const EXPORT_TARGETS_MAX = 64;

/** Channels, and prefixes of channels, that a node may run: 4,096 × about 1 KB each. */
export const CHANNELS_MAX = 4_096;
export const PREFIXES_MAX = 4_096;

/** Entities that may begin a chain for one channel; each is compared with its first issuer. */
export const TOKEN_ROOTS_MAX = 32;

/** Tags one filter of a channel may demand, and their length. */
export const TAGS_REQUIRED_MAX = 32;
export const TAG_BYTES_MAX = 256;

/** Highest rate that can be asked for: no machine publishes more, so it is no limit at all. */
export const RATE_MAX = 10_000_000;

/** Channels one peer may be subscribed to (`identity-and-channels.md` 11). */
export const CHANNELS_PER_PEER_MAX = 1_024;

/** Subscriptions of all peers: as many as the AuthGuard remembers; about 200 B each, 26 MB. */
export const ROSTER_ENTRIES_MAX = AUTH_ENTRIES_MAX;

/** Subscriptions that were let in by a chain: of each up to 8 tokens are kept, 1.5 KB; 25 MB. */
export const CHAINS_MAX = 16_384;

/** A peer that was refused so often within the window is answered rate-limited for a while (section 11). */
export const REFUSALS_MAX = 16;
export const REFUSAL_WINDOW_MS = 60_000;
export const THROTTLE_MS = 30_000;

/** Peers whose refusals are remembered: as many as the transport holds; the oldest makes room. */
export const THROTTLED_PEERS_MAX = 16_384;

/**
 * Chains of one peer that are verified, per second and at once: it may subscribe to all the channels it may
 * have at once. A chain of 8 costs 0.3 ms, so that the burst takes a third of a second, and a peer that goes
 * on 0.6 % of a core. Renewing with the same chain verifies nothing.
 */
export const CHAIN_RATE = { perSecond: 20, burst: CHANNELS_PER_PEER_MAX };

/** Longest name of a queue group: its length is one byte. */
export const QUEUE_GROUP_BYTES_MAX = 255;

/** Channels told of in one offer; the rest goes into further ones. */
export const OFFERED_MAX = 128;

/** Requests that wait for their Ack: as many as a peer may hold channels. */
export const PENDING_MAX = 1_024;

/** How long an Ack is waited for (section 10). */
export const ACK_TIMEOUT_MS = 5_000;

/**
 * A subscription is asked for again after this, in case the publisher has forgotten it; a publisher forgets
 * a subscriber of ours that missed three times and a little.
 */
export const RENEW_MS = 60_000;
export const LEASE_MS = 200_000;

/** Pauses after refusals in a row: two quick ones while the publisher may not yet know who asks. */
export const REFUSED_PAUSES_MS: readonly number[] = [300, 2_000, 15_000, RENEW_MS];

/** Pause after a rate-limited answer: the publisher's throttle takes as long. */
export const THROTTLED_PAUSE_MS = THROTTLE_MS + 1_000;

/** Longest pause after requests that nobody answered. */
export const UNANSWERED_PAUSE_MS_MAX = 60_000;

/** Events that wait for a slow reader of an unreliable channel, and their bytes: 4,096 × 256 B. */
export const QUEUED_EVENTS_MAX = 4_096;
export const QUEUED_BYTES_MAX = 1_048_576;

/** Subscriptions of programs of this machine: each holds up to 1 MiB that is not read. */
export const LOCAL_SUBSCRIPTIONS_MAX = 256;

/** Channels this node is subscribed to, at all publishers together: 1,024 at each of 16 is much. */
export const ATTACHMENTS_MAX = 16_384;

/** Channels a node tells of in its announcement: 26 B each, so 3.3 KB of the 8 KB an announcement may have. */
export const ADVERTISED_MAX = 128;

/** Offers remembered of one peer, and peers they are remembered of: 1,024 × 4,096 × 16 B at the worst. */
export const OFFERS_PER_PEER_MAX = 1_024;
export const OFFERING_PEERS_MAX = 4_096;

/** Subscribers of one publish that are waited for at a time. */
export const INFLIGHT_MAX = 32;

/** A subscriber of a reliable channel that has no room for so long is given up for this publish. */
export const PATIENCE_MS = 5_000;
