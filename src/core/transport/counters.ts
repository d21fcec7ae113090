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

/**
 * Compares each stage's input with the sum of its outcomes.
 *
 * @returns The stages that do not add up, as text; empty when all do.
 */
export function checkCounters(c: TransportCounters): string[] {
  const wrong: string[] = [];
  const stage = (name: string, input: number, outcomes: readonly number[]) => {
    const sum = outcomes.reduce((a, b) => a + b, 0);
    if (sum !== input) wrong.push(`${name}: ${input} in, ${sum} accounted for`);
  };
  stage("datagrams", c.rx_datagrams_total, [
    c.rx_keepalives_total,
    c.rx_pingwaves_total,
    c.rx_routed_total,
    c.rx_direct_total,
    c.rx_sealed_datagrams_total,
    c.drop_unknown_class_total,
    c.drop_route_hop_total,
  ]);
  stage("routed", c.rx_routed_total, [
    c.routed_delivered_total,
    c.relay_routed_total,
    c.drop_relay_ttl_total,
    c.drop_relay_no_route_total,
    c.drop_relay_limit_total,
    c.drop_relay_loop_total,
  ]);
  stage("relayed", c.relay_routed_total + c.relay_unwrapped_total, [
    c.relayed_packets_total,
    c.drop_relay_queue_total,
    c.drop_relay_closed_total,
    c.relay_packets_waiting,
  ]);
  stage("packets", c.rx_packets_total, [
    c.drop_bad_header_total,
    c.drop_routed_heartbeat_total,
    c.rx_handshakes_total,
    c.drop_unknown_session_total,
    c.relay_unwrapped_total,
    c.drop_relay_unwrapped_total,
    c.drop_epoch_key_total,
    c.drop_bad_tag_total,
    c.drop_replay_total,
    c.rx_opened_total,
  ]);
  stage("packets by way", c.rx_packets_total, [c.rx_direct_total, c.routed_delivered_total]);
  stage("handshakes", c.rx_handshakes_total + c.handshakes_retried_total, [
    c.handshakes_completed_total,
    c.retries_sent_total,
    c.drop_handshake_rate_total,
    c.drop_handshake_refused_total,
    c.drop_handshake_replayed_total,
    c.drop_handshake_limit_total,
    c.drop_handshake_negotiation_total,
  ]);
  stage("opened", c.rx_opened_total, [
    c.rx_heartbeats_total,
    c.rx_event_packets_total,
    c.rx_control_packets_total,
    c.rx_message_packets_total,
    c.rx_proofs_total,
    c.drop_unproven_total,
    c.drop_superseded_total,
    c.drop_data_limit_total,
    c.drop_control_limit_total,
    c.drop_announcement_limit_total,
    c.drop_unknown_subprotocol_total,
  ]);
  stage("events", c.rx_event_packets_total, [
    c.event_packets_accepted_total,
    c.drop_duplicate_total,
    c.drop_out_of_horizon_total,
    c.drop_too_many_runs_total,
    c.drop_stream_closed_total,
    c.drop_reorder_full_total,
    c.drop_no_reader_total,
  ]);
  stage("pingwaves", c.rx_pingwaves_total, [
    c.pingwaves_accepted_total,
    c.drop_pingwave_invalid_total,
    c.drop_pingwave_unowned_total,
    c.drop_pingwave_seen_total,
    c.drop_pingwave_stale_total,
    c.drop_pingwave_limit_total,
    c.drop_pingwave_rate_total,
  ]);
  return wrong;
}
