/** Bounds of routing, ordering, scheduling and admission (`wire.md` 9.6, 12, 15), each with its reason. */

import type { FanOut } from "./routing/fan_out.ts";
import { PEERS_MAX, SEND_SLOTS } from "./limits.ts";

/** Destinations with a route: 32,768 × 67 B of columns is 2.2 MB, at least twice the peers of a node. */
export const ROUTES_MAX = 32_768;

/** One neighbour may fill half of the routing table: its inventions leave room for the others'. */
export const ROUTES_PER_HOP_SHARE = 0.5;

/** Edges between nodes, learned from pingwaves: two per origin and neighbour; 32 B each is 0.5 MB. */
export const EDGES_MAX = 16_384;

/** Longest path looked for in the topology: a routed packet starts with a time-to-live of 8. */
export const ALTERNATE_HOPS_MAX = 8;

/** A withdrawal for one (destination, excluded peer) is repeated no sooner. */
export const WITHDRAWAL_DAMPING_MS = 1_000;

/** Cascades running at once; one counts as running for the damping time. */
export const WITHDRAWAL_CASCADES_MAX = 64;

/** Remembered (destination, excluded peer) pairs: the cascades, and every peer failing at once. */
export const WITHDRAWAL_DAMPED_MAX = PEERS_MAX + WITHDRAWAL_CASCADES_MAX;

/**
 * Destinations looked for in the topology when one neighbour is lost or suspected. A search reads every
 * edge up to eight times, about 0.1 ms with a full graph; pingwaves bring the rest back within seconds.
 */
export const ALTERNATE_SEARCHES_MAX = 64;

/** Neighbours told of withdrawals, or of anything, in one go; then others get a turn. */
export const FLOOD_SLICE = 64;
export const FLOOD_PAUSE_MS = 5;

/** Destinations remembered per sender: 1,024 × about 60 B; the oldest is forgotten beyond it. */
export const WITHDRAWAL_HISTORY_MAX = 1_024;

/** Nodes known from pingwaves: 16,384 × about 100 B is 1.6 MB; each sends one per heartbeat interval. */
export const NODES_MAX = 16_384;

/** A pingwave of a lower sequence is of a restarted node if it was sent so much later. */
export const RESTART_SKEW_MS = 1_000;

/**
 * Neighbours one pingwave is passed on to: all of up to 45; beyond, 2,048 copies per heartbeat interval
 * (400 a second, 0.2 % of a core) are shared out, and at least 4 each. So with up to 180 neighbours
 * everyone hears of everyone within the 18 intervals a route lives. With more, leaves know some of each
 * other and all of those that announce themselves.
 */
export const PINGWAVE_FAN_OUT: FanOut = { copies: 2_048, min: 4 };

/**
 * Neighbours one announcement is passed on to: all of up to 1,024; beyond, a million copies per 150 s
 * (7,000 a second) are shared out.
 */
export const ANNOUNCEMENT_FAN_OUT: FanOut = { copies: 1_024 * 1_024, min: 16 };

/** Neighbours that are new since the last event pingwave and get the next one whatever the fan-out. */
export const NEWCOMERS_MAX = 256;

/** Peers that get their heartbeat, and their pingwave, in one go: half of the send slots at the most. */
export const LIVENESS_SLICE = 64;

/** Reports of silence in a row that open a breaker, and how long it lets nothing through. */
export const BREAKER_FAILURES = 5;
export const BREAKER_PAUSE_MS = 1_000;
export const BREAKER_PAUSE_MAX_MS = 60_000;

/** Bytes one ordered stream may hold behind a gap: four times the default window. */
export const REORDER_BYTES_MAX = 262_144;

/** Bytes all ordered streams of a node may hold behind gaps. */
export const REORDER_BYTES_TOTAL_MAX = 64 * 1_024 * 1_024;

/** A reader waits this long for one missing packet; senders of ours give up after about 7 s. */
export const REORDER_GAP_MS = 30_000;

/** Forwarding scheduler: packets per queue, packets per turn, queues, packets in all queues. */
export const SCHEDULER_DEPTH = 1_024;
export const SCHEDULER_QUANTUM = 16;
export const SCHEDULER_QUEUES_MAX = 8_192;
/** 16,384 × 1,200 B of relayed datagrams is 20 MB. */
export const SCHEDULER_ITEMS_MAX = 16_384;

/** Bytes sent to an address that proved nothing, per byte received from it. */
export const AMPLIFICATION_FACTOR = 3;
/** Unproven addresses remembered, and for how long after the last datagram. */
export const UNPROVEN_ADDRESSES_MAX = 4_096;
export const UNPROVEN_ADDRESS_MS = 30_000;

/** A lost packet is recognised by this many later ones that arrived (RFC 6675, DupThresh). */
export const SACK_LOSS_THRESHOLD = 3;

/** Relayed packets remembered to recognise loops: 65,536 × 8 B, a fifth of a second at full rate. */
export const LOOP_GUARD_ENTRIES = 65_536;

/** Relayed streams with statistics: 4,096 × about 60 B; forgotten when idle for so long. */
export const RELAYED_STREAMS_MAX = 4_096;
export const RELAYED_STREAM_IDLE_MS = 300_000;

/** Pairs of addresses that shook hands through this node, about 300 B each; the oldest makes room. */
export const RELAYED_PAIRS_MAX = 1_024;
/** A pair is forgotten when so long nothing was relayed between the two: three session timeouts. */
export const RELAYED_PAIR_IDLE_MS = 90_000;

/** Send slots left to this node's own packets while relayed and scheduled ones wait: half of them. */
export const EGRESS_RESERVE = SEND_SLOTS / 2;
/** Bytes of relayed datagrams that wait: as much as half a second at 64 MB/s, then the rest is dropped. */
export const EGRESS_BYTES_MAX = 32 * 1_024 * 1_024;

/** How deep messages to this node itself may nest: a handler that sends to itself is a loop of ours. */
export const LOOPBACK_DEPTH_MAX = 8;
