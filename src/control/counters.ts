/** Counters of the control surface; the registry of `observe` reads them when someone looks. */

/**
 * One field per thing counted. At any moment
 * `requests = notifications + results + errors + requests_in_flight`, and `errors` is the sum of the
 * `errors_*` fields.
 */
export interface ControlCounters {
  /** Lets the registry read the fields by name. */
  [name: string]: number;
  connections_active: number;
  connections_total: number;
  /** Turned away because too many were open. */
  connections_refused_limit_total: number;
  /** Turned away because the other process belongs to somebody else. */
  connections_refused_credentials_total: number;
  /** Served with public methods only, because the other process belongs to somebody else. */
  connections_foreign_total: number;
  /** Served although the process behind them was not found; the file modes let them in. */
  connections_unidentified_total: number;
  /** Closed for silence. */
  connections_idle_total: number;
  /** Closed because HTTP was spoken. */
  connections_http_total: number;
  /** Closed because TLS was spoken. */
  connections_tls_total: number;
  /** Members of the family, by their BTSP handshake. */
  connections_btsp_total: number;
  /** Closed because a handshake or a frame of BTSP was not as it must be, or there is none here. */
  connections_btsp_refused_total: number;
  /** Closed because a line was too long. */
  connections_oversized_total: number;
  /** Closed because the input of all connections together had no more room. */
  connections_starved_total: number;
  /** Closed because they took no replies while too many waited. */
  connections_stalled_total: number;
  /** Ended by an error of the operating system. */
  connections_failed_total: number;
  accept_failures_total: number;
  /** Lines of the audit log that were lost; told when it is closed. */
  audit_dropped_total: number;
  received_bytes_total: number;
  sent_bytes_total: number;
  lines_total: number;
  lines_blank_total: number;
  batches_total: number;
  requests_total: number;
  requests_in_flight: number;
  notifications_total: number;
  results_total: number;
  errors_total: number;
  /** Finished requests whose reply found no open connection. */
  replies_dropped_total: number;
  progress_total: number;
  progress_dropped_total: number;
  cancels_total: number;
  errors_parse_total: number;
  errors_invalid_request_total: number;
  errors_unknown_method_total: number;
  errors_invalid_params_total: number;
  errors_internal_total: number;
  errors_draining_total: number;
  errors_overloaded_total: number;
  errors_not_ready_total: number;
  errors_not_allowed_total: number;
  errors_not_found_total: number;
  errors_conflict_total: number;
}

/** All counters at zero. */
export function createControlCounters(): ControlCounters {
  return {
    connections_active: 0,
    connections_total: 0,
    connections_refused_limit_total: 0,
    connections_refused_credentials_total: 0,
    connections_foreign_total: 0,
    connections_unidentified_total: 0,
    connections_idle_total: 0,
    connections_http_total: 0,
    connections_tls_total: 0,
    connections_btsp_total: 0,
    connections_btsp_refused_total: 0,
    connections_oversized_total: 0,
    connections_starved_total: 0,
    connections_stalled_total: 0,
    connections_failed_total: 0,
    accept_failures_total: 0,
    audit_dropped_total: 0,
    received_bytes_total: 0,
    sent_bytes_total: 0,
    lines_total: 0,
    lines_blank_total: 0,
    batches_total: 0,
    requests_total: 0,
    requests_in_flight: 0,
    notifications_total: 0,
    results_total: 0,
    errors_total: 0,
    replies_dropped_total: 0,
    progress_total: 0,
    progress_dropped_total: 0,
    cancels_total: 0,
    errors_parse_total: 0,
    errors_invalid_request_total: 0,
    errors_unknown_method_total: 0,
    errors_invalid_params_total: 0,
    errors_internal_total: 0,
    errors_draining_total: 0,
    errors_overloaded_total: 0,
    errors_not_ready_total: 0,
    errors_not_allowed_total: 0,
    errors_not_found_total: 0,
    errors_conflict_total: 0,
  };
}

/** Counts one error reply by its number. */
export function countError(counters: ControlCounters, code: number): void {
  counters.errors_total++;
  switch (code) {
    case -32700:
      counters.errors_parse_total++;
      break;
    case -32600:
      counters.errors_invalid_request_total++;
      break;
    case -32601:
      counters.errors_unknown_method_total++;
      break;
    case -32602:
      counters.errors_invalid_params_total++;
      break;
    case -32000:
      counters.errors_draining_total++;
      break;
    case -32001:
      counters.errors_overloaded_total++;
      break;
    case -32002:
      counters.errors_not_ready_total++;
      break;
    case -32003:
      counters.errors_not_allowed_total++;
      break;
    case -32004:
      counters.errors_not_found_total++;
      break;
    case -32005:
      counters.errors_conflict_total++;
      break;
    default:
      counters.errors_internal_total++;
  }
}
