/** Counters of traversal; the statistics of `nrpc.md` 16 are among them. */

/** Creates them, all zero. */
export function createNatCounters() {
  return {
    // The specification's, under its names.
    punches_attempted: 0,
    punches_succeeded: 0,
    relay_fallbacks: 0,
    upgrades_attempted: 0,
    upgrades_succeeded: 0,
    upgrades_deferred_busy: 0,
    /** Punches that ended without a hole, and requests that nobody answered. */
    punch_timeouts: 0,
    /** Requests of ours that a coordinator refused. */
    punch_rejections: 0,
    /** No peer could have coordinated. */
    rendezvous_no_relay: 0,
    // Dialling, and asking for the own address.
    direct_attempted_total: 0,
    direct_succeeded_total: 0,
    reflex_queries_total: 0,
    reflex_failures_total: 0,
    // As coordinator.
    introductions_sent_total: 0,
    rejects_rate_limited_total: 0,
    rejects_unknown_reflex_total: 0,
    rejects_no_session_total: 0,
    rejects_reflex_mismatch_total: 0,
    rejects_other_total: 0,
    acks_forwarded_total: 0,
    // As one of the two that punch.
    introductions_followed_total: 0,
    keepalives_sent_total: 0,
    keepalives_heard_total: 0,
    acks_sent_total: 0,
    acks_received_total: 0,
    // Dropped, by reason.
    drop_introduction_limit_total: 0,
    drop_keepalive_unexpected_total: 0,
    drop_malformed_total: 0,
    /** Messages nobody waits for: late, or never asked for. */
    drop_stale_total: 0,
    /** Messages from a session they must not come from; zero in normal life, so an alarm. */
    peer_auth_rejections_total: 0,
  };
}

/** Counters of one node. */
export type NatCounters = ReturnType<typeof createNatCounters>;
