/** What the HTTP server counts; every connection and request that was accepted ends in one of them. */

/** Creates counters at zero. */
export function createHttpCounters() {
  return {
    connections_total: 0,
    connections_active: 0,
    connections_refused_total: 0,
    connections_evicted_total: 0,
    connections_timed_out_idle_total: 0,
    connections_timed_out_head_total: 0,
    connections_timed_out_body_total: 0,
    connections_timed_out_write_total: 0,
    accept_failures_total: 0,
    heads_refused_total: 0,
    requests_total: 0,
    requests_aborted_total: 0,
    answers_broken_total: 0,
    bytes_in_total: 0,
    bytes_out_total: 0,
  };
}

/** Counters of the HTTP server. */
export type HttpCounters = ReturnType<typeof createHttpCounters>;
