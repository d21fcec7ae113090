/** What all files of one {@linkcode Redex} count together; metrics `net_log_…`. */

/** Counters of the log. */
export interface LogCounters {
  files_open: number;
  tails_open: number;
  opens_total: number;
  open_unauthorized_total: number;
  open_limit_total: number;
  appends_total: number;
  events_total: number;
  bytes_total: number;
  append_failures_total: number;
  syncs_total: number;
  sync_failures_total: number;
  sweeps_total: number;
  sweep_failures_total: number;
  events_swept_total: number;
  compactions_total: number;
  /** Records that failed their checksum, in files open now or before. */
  damaged_total: number;
  /** Lag items given to tails, and the events they stand for. */
  lags_total: number;
  lag_events_total: number;
  tail_limit_total: number;
}

/** Counters at zero. */
export function createLogCounters(): LogCounters {
  return {
    files_open: 0,
    tails_open: 0,
    opens_total: 0,
    open_unauthorized_total: 0,
    open_limit_total: 0,
    appends_total: 0,
    events_total: 0,
    bytes_total: 0,
    append_failures_total: 0,
    syncs_total: 0,
    sync_failures_total: 0,
    sweeps_total: 0,
    sweep_failures_total: 0,
    events_swept_total: 0,
    compactions_total: 0,
    damaged_total: 0,
    lags_total: 0,
    lag_events_total: 0,
    tail_limit_total: 0,
  };
}
