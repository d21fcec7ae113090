/** What links of a node count; by the names of metrics. */

/** Counters of all links together. */
export interface LinkCounters {
  frames_sent_total: number;
  packets_sent_total: number;
  frames_received_total: number;
  /** Times a frame found no room to wait in. */
  frames_refused_total: number;
  large_frames_sent_total: number;
  large_frames_abandoned_total: number;
  fragments_sent_total: number;
  fragments_received_total: number;
  joins_started_total: number;
  joins_finished_total: number;
  joins_abandoned_total: number;
  drop_join_budget_total: number;
  drop_join_too_large_total: number;
  drop_join_malformed_total: number;
  drop_join_late_total: number;
  /** Joins that ended with their link. */
  drop_join_ended_total: number;
  /** Parts of frames that were refused before, and parts that cannot be read. */
  drop_fragment_refused_total: number;
  drop_fragment_malformed_total: number;
}

/** All of them at 0. */
export function createLinkCounters(): LinkCounters {
  return {
    frames_sent_total: 0,
    packets_sent_total: 0,
    frames_received_total: 0,
    frames_refused_total: 0,
    large_frames_sent_total: 0,
    large_frames_abandoned_total: 0,
    fragments_sent_total: 0,
    fragments_received_total: 0,
    joins_started_total: 0,
    joins_finished_total: 0,
    joins_abandoned_total: 0,
    drop_join_budget_total: 0,
    drop_join_too_large_total: 0,
    drop_join_malformed_total: 0,
    drop_join_late_total: 0,
    drop_join_ended_total: 0,
    drop_fragment_refused_total: 0,
    drop_fragment_malformed_total: 0,
  };
}
