/** Numbers of the transport (`wire.md` 15) and the bounds of everything it keeps. */

/** Bytes a packet costs in credit beside its payload: header 68 + tag 16. */
export const PACKET_OVERHEAD_BYTES = 84;

/** Credit window of a stream that asked for none. */
export const STREAM_WINDOW_BYTES = 65_536;

/** Tick of retransmissions and repeated NACKs. */
export const RETRANSMIT_TICK_MS = 25;

/** Retransmission timeout: before a sample, and its bounds. */
export const RTO_INITIAL_MS = 50;
export const RTO_MIN_MS = 10;
export const RTO_MAX_MS = 2_000;

/**
 * A packet is given up when it is due again after this many resends. The Rust core stops after 3
 * without backing off, about 0.2 s; a receiver that hashes, writes or collects garbage needs longer.
 * With doubling from 50 ms, 7 resends last 50 × (2^6 − 1) + 2,000 × 2 ms, about 7 s.
 */
export const RESENDS_MAX = 7;

/** Congestion window in packets: at the start and at the least. */
export const CONGESTION_WINDOW_INITIAL = 32;
export const CONGESTION_WINDOW_MIN = 2;

/**
 * A sender of an unreliable stream that is out of credit for this long sends one packet to learn what was
 * lost: longer than a round trip, so that grants on their way are not taken for lost ones.
 */
export const CREDIT_PATIENCE_MS = 250;

/**
 * Bytes in flight of a session: as many as fit the socket buffer that nodes of ours ask for, to begin with
 * a quarter of it, at the least one default window.
 */
export const FLIGHT_BYTES_INITIAL = 1_048_576;
export const FLIGHT_BYTES_MAX = 4_194_304;
export const FLIGHT_BYTES_MIN = STREAM_WINDOW_BYTES;

/**
 * Of credit, congestion window and bytes in flight an eighth is left for others by those who send in bulk: 4 of
 * the first 32 packets.
 */
export const BULK_RESERVE_SHARE = 8;

/** Disjoint runs of received packets a receiver keeps above a gap. */
export const RECEIVE_RUNS_MAX = 32;

/** Grants of all streams of a session wait this long for each other. */
export const GRANT_DELAY_MS = 1;

/**
 * So many packets are acknowledged at once, without waiting for others: a sender that just began may have
 * no more than these in flight and would stand still for the delay.
 */
export const GRANT_PACKETS = CONGESTION_WINDOW_INITIAL;

/**
 * Credit that a slow reader gave back is told again after these pauses, doubled each time, until something
 * comes or the stream is idle: nothing acknowledges a grant, and a sender whose credit is used up, with
 * all it sent acknowledged, has nothing to repeat. Up to the second of them by the tick, then by the sweep.
 */
export const CREDIT_REPEAT_MS = 50;
export const CREDIT_REPEAT_TICKED_MS = 1_000;
export const CREDIT_REPEAT_MS_MAX = 32_000;

/** A sender for whose packet there is no memory looks again after this, in which others are acknowledged. */
export const ROOM_RETRY_MS = 1;

/** Streams of a session; the longest idle one makes room. */
export const STREAMS_MAX = 4_096;

/** Stream ids taken of whichever peer begins them: every stream that a session may have. */
export const ACCEPTED_STREAMS_MAX = STREAMS_MAX;

/** A stream without traffic is forgotten after this. */
export const STREAM_IDLE_MS = 300_000;

/** A closed stream keeps acknowledging late copies for this long. */
export const STREAM_LINGER_MS = 2_000;

/**
 * A stream that ended early for its reader refuses packets for longer than its sender tries, about 7 s;
 * so many are remembered per session, beyond that a late packet opens the stream again.
 */
export const ENDED_STREAM_MS = 10_000;
export const ENDED_STREAMS_MAX = 1_024;

/**
 * A RESET is repeated at once and after pauses that double, until 127 s. A reader that none of them
 * reaches has lost its peer by then (`FAILED_TIMEOUTS`). Streams to one peer it is repeated for.
 */
export const RESET_REPEAT_MS = 1_000;
export const RESET_REPEAT_MS_MAX = 64_000;
export const RESET_REPEATS_MAX = 1_024;

/** Liveness (`wire.md` 11). */
export const HEARTBEAT_MS = 5_000;
export const SESSION_TIMEOUT_MS = 30_000;
/** Bounds of heartbeat interval and session timeout: a tick has to fit in, and a day is long enough. */
export const INTERVAL_MS_MIN = 10;
export const INTERVAL_MS_MAX = 86_400_000;
export const SUSPECTED_TIMEOUTS = 2;
export const FAILED_TIMEOUTS = 3;
export const EVICTED_TIMEOUTS = 30;

/** Time-to-live of routed handshakes, of routed data, of pingwaves. */
export const HANDSHAKE_TTL = 16;
export const DATA_TTL = 8;
export const PINGWAVE_TTL = 3;
export const PINGWAVE_SECOND_ROUND_MS = 50;
export const PINGWAVE_EVENT_GAP_MS = 250;
export const PINGWAVE_DEBOUNCE_MS = 100;

/** Peers with a session or being dialled: 16,384 × about 1.5 KB of session state is 24 MB. */
export const PEERS_MAX = 16_384;

/** A session whose peer never proved that it holds the keys is dropped after this. */
export const UNCONFIRMED_MS = 30_000;

/** How often sessions are looked through for ones whose time is over. */
export const SWEEP_MS = 1_000;

/**
 * Sealed sessions that wait for a proof, which takes at most 5 s: 1,024 × about 3 KB are 3 MB. One source
 * may hold a few, for what lies behind one address.
 */
export const HALF_OPEN_MAX = 1_024;
export const HALF_OPEN_PER_SOURCE_MAX = 64;

/**
 * RESETs sent per second, answers to packets of sessions this node lost: 15 µs each, 3 % of one core. One
 * address gets one, so that a flood from 1,000 leaves half of them to peers that need one.
 */
export const RESETS_PER_SECOND = 2_000;
export const RESETS_PER_ADDRESS_PER_SECOND = 1;

/** Both sides of a sealed pair that dialled at once agree on one session within this time. */
export const SEALED_CROSSING_MS = 5_000;

/**
 * A sealed session is renewed by a fresh handshake after this, which heals a stolen key; one with streams,
 * which that would end, after twice as long at the latest.
 */
export const SEALED_RENEW_MS = 3_600_000;

/** A replaced session still opens what was in flight for this long. */
export const SUPERSEDED_MS = 5_000;

/** Two handshakes of one pair that end within this time count as crossing. A restart is slower. */
export const CROSSING_MS = 1_000;

/** Node ids that direct handshakes are tried for; each costs two X25519 operations (about 0.1 ms). */
export const EXPECTED_MAX = 64;

/**
 * First messages worked on per second: in total and per source address. One costs 0.14 ms until it is
 * found false and 0.35 ms until it has become a half-open session, so 100 are 2 to 4 % of one core. Who
 * finds the share used up is asked to come back with a token, which has a share of its own.
 * Sources are remembered as long as they may do less than new ones, up to a number; the oldest half is
 * dropped beyond it.
 */
export const HANDSHAKES_PER_SECOND = 100;
export const HANDSHAKES_PER_SOURCE_PER_SECOND = 20;
export const HANDSHAKE_SOURCES_MAX = 4_096;

/**
 * A share of its own for first messages whose sender showed with a token that it receives where it sends
 * from: a flood from forged addresses cannot use it up. Per source it is more, for what lies behind one
 * address, and because this address is real.
 */
export const RETRIED_HANDSHAKES_PER_SECOND = 250;
export const RETRIED_HANDSHAKES_PER_SOURCE_PER_SECOND = 100;

/** And one for first messages that peers relay, whose senders no RETRY reaches. */
export const RELAYED_HANDSHAKES_PER_SECOND = 100;

/**
 * RETRYs sent, 15 µs each with what the system does, and tokens checked, 8 µs each, per second: 3 to 4 %
 * of one core apiece. One address gets few of them: a flood from 1,000 of them leaves half of the RETRYs
 * and a fifth of the checks to others. An attempt follows the last one no sooner than half a second.
 */
export const RETRIES_PER_SECOND = 2_000;
export const RETRIES_PER_ADDRESS_PER_SECOND = 1;
export const TOKEN_CHECKS_PER_SECOND = 5_000;
export const TOKEN_CHECKS_PER_ADDRESS_PER_SECOND = 4;

/** Counters that addresses share by hash, 128 KB: with 1,000 busy, 1 in 1,000 others is taken for them. */
export const ADDRESS_QUOTA_SLOTS = 65_536;

/** How often one attempt repeats its first message to one address behind a token. */
export const RETRIES_FOLLOWED_MAX = 2;

/** Packets tried as the answer to one attempt; each wrong one costs 0.14 ms. */
export const ANSWERS_TRIED_MAX = 32;

/**
 * Paths being checked at once, about 200 B each, and checks begun per second: up to 4 packets of 97 bytes
 * for each. A network that changes moves many peers at once; each goes on being asked about.
 */
export const PATH_PROBES_MAX = 256;
export const PATH_PROBES_PER_SECOND = 100;

/** Challenges answered per second, with as many bytes as they have. */
export const PATH_RESPONSES_PER_SECOND = 1_000;

/** A path challenge is repeated this often at this pace; then the path is given up. */
export const PATH_CHALLENGES = 4;
export const PATH_CHALLENGE_REPEAT_MS = 250;

/** A session that moved stays for so long: a peer that sends from two addresses in turn costs little. */
export const PATH_REST_MS = 1_000;

/** An entity that comes back to another address more often than this in a minute has a double. */
export const CLONE_TURNS_MAX = 3;
export const CLONE_WINDOW_MS = 60_000;

/** For how long after the last sign of it a double is shown with the peer. */
export const CLONE_SHOWN_MS = 600_000;

/** Patience of one handshake attempt: it grows from the first to the last of these. */
export const HANDSHAKE_PATIENCE_MS: readonly number[] = [500, 1_000, 2_000];

/** Slots for packets being sent: 512 × 8,256 B is 4.2 MB. */
export const SEND_SLOTS = 512;
export const SEND_SLOT_BYTES = 8_256;

/** Receive buffer of the portable socket: the largest UDP payload, rounded up. */
export const RECEIVE_BUFFER_BYTES = 65_536;

/** Kernel socket buffers asked for; bursts of whole windows must fit. */
export const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/** A dialled peer that was silent this many heartbeats is dialled again. */
export const REDIAL_AFTER_HEARTBEATS = 2.2;
