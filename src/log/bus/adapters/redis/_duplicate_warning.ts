/**
 * The one warning that belongs to a process and not to an adapter: who reads has to drop repeats.
 *
 * @module
 */
import type { Log } from "../../../../observe/mod.ts";

let isGiven = false;

/** Warns, the first time in this process. */
export function warnOfDuplicates(log: Pick<Log, "warn">): void {
  if (isGiven) return;
  isGiven = true;
  log.warn("redis_may_repeat_events", {
    why: "a pipeline that timed out and is tried again can publish its events twice",
    next: "read through RedisStreamDedup, which drops repeats by dedup_id",
  });
}

/** For tests of it. */
export function forgetWarning(): void {
  isGiven = false;
}
