/** Counters of the folds of a node (`storage.md` 5). */
import type { CounterSet } from "../../observe/mod.ts";

/** Shared by all adapters that are given it; one add each on the hot path. */
export class CortexMetrics {
  foldedTotal = 0;
  setAsideTotal = 0;
  /** Events that retention took before they were seen. */
  missedTotal = 0;
  haltsTotal = 0;
  appendedTotal = 0;
  waitsTotal = 0;
  waitTimeoutsTotal = 0;
  waitQueueFullTotal = 0;
  waitWrongOriginTotal = 0;
  /** Sum over all waits that ended, however they did. */
  waitNs = 0;

  /** For the registry, area `cortex`. */
  read(): CounterSet {
    return {
      events_folded_total: this.foldedTotal,
      events_set_aside_total: this.setAsideTotal,
      events_missed_total: this.missedTotal,
      events_appended_total: this.appendedTotal,
      halts_total: this.haltsTotal,
      token_waits_total: this.waitsTotal,
      token_wait_timeouts_total: this.waitTimeoutsTotal,
      token_wait_queue_full_total: this.waitQueueFullTotal,
      token_wait_wrong_origin_total: this.waitWrongOriginTotal,
      token_wait_nanoseconds_total: Math.round(this.waitNs),
    };
  }
}
