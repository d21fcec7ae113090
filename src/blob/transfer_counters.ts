/** What transfers count, on both sides. */

/** Counters of one node's transfers; every drop has its reason. */
export interface TransferCounters {
  /** Messages of the subprotocol that nobody could read. */
  messages_malformed_total: number;
  requests_received_total: number;
  /** Requests on a stream that is being served already. */
  requests_duplicate_total: number;
  /** Requests beyond what may wait. */
  requests_over_limit_total: number;
  serves_active: number;
  serves_waiting: number;
  /** Replies that were acknowledged to their end. */
  serves_completed_total: number;
  /** Replies sent to their end and not acknowledged; the Rust core leaves many so. */
  serves_unconfirmed_total: number;
  serves_not_found_total: number;
  /** Streams that ended under us, stalled peers, chunks that could not be read. */
  serves_failed_total: number;
  bytes_served_total: number;
  attempts_total: number;
  attempts_not_found_total: number;
  attempts_silent_total: number;
  attempts_stalled_total: number;
  attempts_reset_total: number;
  /** Headers or sizes that break the rules. */
  attempts_malformed_total: number;
  /** Bytes that did not have the hash asked for. */
  attempts_wrong_hash_total: number;
  /** Second attempts beside one that took long. */
  attempts_hedged_total: number;
  /** Holders that a search named, and of these the ones a session was got with. */
  holders_found_total: number;
  holders_reached_total: number;
  chunks_fetched_total: number;
  bytes_fetched_total: number;
  events_dropped_total: number;
  resolve_questions_received_total: number;
  resolve_answers_sent_total: number;
  resolve_questions_sent_total: number;
  resolve_answers_accepted_total: number;
  /** Answers that came from a peer that was not asked, or for a hash nobody asks for. */
  resolve_answers_unasked_total: number;
  resolve_answers_invalid_total: number;
}

/** All zero. */
export function createTransferCounters(): TransferCounters {
  return {
    messages_malformed_total: 0,
    requests_received_total: 0,
    requests_duplicate_total: 0,
    requests_over_limit_total: 0,
    serves_active: 0,
    serves_waiting: 0,
    serves_completed_total: 0,
    serves_unconfirmed_total: 0,
    serves_not_found_total: 0,
    serves_failed_total: 0,
    bytes_served_total: 0,
    attempts_total: 0,
    attempts_not_found_total: 0,
    attempts_silent_total: 0,
    attempts_stalled_total: 0,
    attempts_reset_total: 0,
    attempts_malformed_total: 0,
    attempts_wrong_hash_total: 0,
    attempts_hedged_total: 0,
    holders_found_total: 0,
    holders_reached_total: 0,
    chunks_fetched_total: 0,
    bytes_fetched_total: 0,
    events_dropped_total: 0,
    resolve_questions_received_total: 0,
    resolve_answers_sent_total: 0,
    resolve_questions_sent_total: 0,
    resolve_answers_accepted_total: 0,
    resolve_answers_unasked_total: 0,
    resolve_answers_invalid_total: 0,
  };
}
