/**
 * Counters of the transport, one per stage and drop reason.
 *
 * The stages add up: every datagram received is counted in exactly one class or drop, every packet of
 * a class in exactly one outcome. `checkCounters` says how.
 */

/** Creates the transport's counters, all zero. */
export function createTransportCounters() {
  return {
    // Stage 1: the socket and the class of a datagram.
    rx_datagrams_total: 0,
    rx_bytes_total: 0,
    /** Packets whose handling threw: faults of ours. */
    rx_failures_total: 0,
    rx_keepalives_total: 0,
    rx_pingwaves_total: 0,
    rx_routed_total: 0,
    rx_direct_total: 0,
    drop_unknown_class_total: 0,
    drop_route_hop_total: 0,
    // Stage 2: routed datagrams.
    routed_delivered_total: 0,
    relay_routed_total: 0,
    drop_relay_ttl_total: 0,
    drop_relay_no_route_total: 0,
    drop_relay_limit_total: 0,
    drop_relay_loop_total: 0,
    /** Kept in its subnet by the gateway. */
    drop_relay_gate_total: 0,
    // Stage 2b: packets to be relayed, with a routing header and without.
    relayed_packets_total: 0,
    /** Its queue, or all queues together, were full. */
    drop_relay_queue_total: 0,
    /** Waited when the neighbour was given up. */
    drop_relay_closed_total: 0,
    /** Waiting now. */
    relay_packets_waiting: 0,
    // Stage 3: packets, direct and delivered ones together.
    rx_packets_total: 0,
    drop_bad_header_total: 0,
    drop_routed_heartbeat_total: 0,
    rx_handshakes_total: 0,
    drop_unknown_session_total: 0,
    /** Not ours, but of an endpoint that is relayed through here and does not wrap. */
    relay_unwrapped_total: 0,
    drop_relay_unwrapped_total: 0,
    drop_bad_tag_total: 0,
    drop_replay_total: 0,
    rx_opened_total: 0,
    // Stage 4: opened packets by what they are.
    rx_heartbeats_total: 0,
    rx_event_packets_total: 0,
    rx_control_packets_total: 0,
    rx_message_packets_total: 0,
    drop_unknown_subprotocol_total: 0,
    drop_superseded_total: 0,
    drop_data_limit_total: 0,
    drop_control_limit_total: 0,
    drop_announcement_limit_total: 0,
    // Stage 5: event packets.
    events_delivered_total: 0,
    events_unclaimed_total: 0,
    event_packets_accepted_total: 0,
    drop_duplicate_total: 0,
    drop_out_of_horizon_total: 0,
    drop_too_many_runs_total: 0,
    drop_stream_closed_total: 0,
    drop_reorder_full_total: 0,
    /** Beyond what the reader may hold: it is slow, or the sender ignores its credit. */
    drop_reader_full_total: 0,
    /** Packets of a reliable stream that nobody reads; not acknowledged. */
    drop_no_reader_total: 0,
    drop_malformed_control_total: 0,
    // Handshakes.
    handshakes_sent_total: 0,
    handshakes_completed_total: 0,
    drop_handshake_rate_total: 0,
    drop_handshake_refused_total: 0,
    drop_handshake_replayed_total: 0,
    drop_handshake_limit_total: 0,
    drop_handshake_negotiation_total: 0,
    /** First messages that came behind a token that holds. */
    handshakes_retried_total: 0,
    retries_sent_total: 0,
    // Sealed sessions.
    rx_proofs_total: 0,
    drop_epoch_key_total: 0,
    drop_unproven_total: 0,
    drop_sealed_message_total: 0,
    sessions_proven_total: 0,
    sessions_unproven_total: 0,
    half_open_evicted_total: 0,
    rx_sealed_datagrams_total: 0,
    drop_sealed_datagram_total: 0,
    resets_sent_total: 0,
    resets_received_total: 0,
    retries_followed_total: 0,
    drop_token_total: 0,
    // Addresses that did not yet show that they receive.
    drop_amplification_total: 0,
    unproven_evicted_total: 0,
    // Peers that move, and identities in use twice.
    path_challenges_sent_total: 0,
    paths_moved_total: 0,
    paths_failed_total: 0,
    drop_path_limit_total: 0,
    drop_path_owned_total: 0,
    clones_reported_total: 0,
    // Pingwaves.
    pingwaves_accepted_total: 0,
    pingwaves_forwarded_total: 0,
    /** Passed on to some neighbours only, because there are so many. */
    pingwaves_fan_out_limited_total: 0,
    drop_pingwave_invalid_total: 0,
    drop_pingwave_unowned_total: 0,
    drop_pingwave_seen_total: 0,
    drop_pingwave_stale_total: 0,
    drop_pingwave_limit_total: 0,
    drop_pingwave_rate_total: 0,
    // Sending.
    tx_packets_total: 0,
    tx_bytes_total: 0,
    tx_resent_total: 0,
    tx_errors_total: 0,
    drop_tx_no_slot_total: 0,
    /** Sends put off because the packet could not be kept for a retransmission. */
    tx_store_full_total: 0,
    // Life of sessions and streams.
    sessions_opened_total: 0,
    sessions_replaced_total: 0,
    sessions_unconfirmed_total: 0,
    peers_suspected_total: 0,
    peers_failed_total: 0,
    peers_recovered_total: 0,
    peers_evicted_total: 0,
    streams_opened_total: 0,
    streams_evicted_total: 0,
    streams_reset_total: 0,
    streams_given_up_total: 0,
    streams_gap_total: 0,
  };
}

/** Counters of one transport. */
export type TransportCounters = ReturnType<typeof createTransportCounters>;

/** A stage: what comes in, and every outcome it can have. */
export interface CounterStage {
  readonly name: string;
  /** What comes in; together, where there are several. */
  readonly inputs: readonly (keyof TransportCounters)[];
  readonly outcomes: readonly (keyof TransportCounters)[];
}

/** The stages that add up. */
export const COUNTER_STAGES: readonly CounterStage[] = [
  {
    name: "datagrams",
    inputs: ["rx_datagrams_total"],
    outcomes: [
      "rx_keepalives_total",
      "rx_pingwaves_total",
      "rx_routed_total",
      "rx_direct_total",
      "rx_sealed_datagrams_total",
      "drop_unknown_class_total",
      "drop_route_hop_total",
    ],
  },
  {
    name: "routed",
    inputs: ["rx_routed_total"],
    outcomes: [
      "routed_delivered_total",
      "relay_routed_total",
      "drop_relay_ttl_total",
      "drop_relay_no_route_total",
      "drop_relay_limit_total",
      "drop_relay_loop_total",
      "drop_relay_gate_total",
    ],
  },
  {
    name: "relayed",
    inputs: ["relay_routed_total", "relay_unwrapped_total"],
    outcomes: [
      "relayed_packets_total",
      "drop_relay_queue_total",
      "drop_relay_closed_total",
      "relay_packets_waiting",
    ],
  },
  {
    name: "packets",
    inputs: ["rx_packets_total"],
    outcomes: [
      "drop_bad_header_total",
      "drop_routed_heartbeat_total",
      "rx_handshakes_total",
      "drop_unknown_session_total",
      "relay_unwrapped_total",
      "drop_relay_unwrapped_total",
      "drop_epoch_key_total",
      "drop_bad_tag_total",
      "drop_replay_total",
      "rx_opened_total",
    ],
  },
  {
    name: "packets by way",
    inputs: ["rx_packets_total"],
    outcomes: ["rx_direct_total", "routed_delivered_total"],
  },
  {
    name: "handshakes",
    inputs: ["rx_handshakes_total", "handshakes_retried_total"],
    outcomes: [
      "handshakes_completed_total",
      "retries_sent_total",
      "drop_handshake_rate_total",
      "drop_handshake_refused_total",
      "drop_handshake_replayed_total",
      "drop_handshake_limit_total",
      "drop_handshake_negotiation_total",
    ],
  },
  {
    name: "opened",
    inputs: ["rx_opened_total"],
    outcomes: [
      "rx_heartbeats_total",
      "rx_event_packets_total",
      "rx_control_packets_total",
      "rx_message_packets_total",
      "rx_proofs_total",
      "drop_unproven_total",
      "drop_superseded_total",
      "drop_data_limit_total",
      "drop_control_limit_total",
      "drop_announcement_limit_total",
      "drop_unknown_subprotocol_total",
    ],
  },
  {
    name: "events",
    inputs: ["rx_event_packets_total"],
    outcomes: [
      "event_packets_accepted_total",
      "drop_duplicate_total",
      "drop_out_of_horizon_total",
      "drop_too_many_runs_total",
      "drop_stream_closed_total",
      "drop_reorder_full_total",
      "drop_reader_full_total",
      "drop_no_reader_total",
    ],
  },
  {
    name: "pingwaves",
    inputs: ["rx_pingwaves_total"],
    outcomes: [
      "pingwaves_accepted_total",
      "drop_pingwave_invalid_total",
      "drop_pingwave_unowned_total",
      "drop_pingwave_seen_total",
      "drop_pingwave_stale_total",
      "drop_pingwave_limit_total",
      "drop_pingwave_rate_total",
    ],
  },
];

/**
 * Compares each stage's input with the sum of its outcomes.
 *
 * @returns The stages that do not add up, as text; empty when all do.
 */
export function checkCounters(counters: TransportCounters): string[] {
  const wrong: string[] = [];
  const sum = (names: readonly (keyof TransportCounters)[]) =>
    names.reduce((total, name) => total + counters[name], 0);
  for (const { name, inputs, outcomes } of COUNTER_STAGES) {
    const [came, went] = [sum(inputs), sum(outcomes)];
    if (came !== went) wrong.push(`${name}: ${came} in, ${went} accounted for`);
  }
  return wrong;
}
