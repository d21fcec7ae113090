/** Bounds of measurements between nodes (`docs/bench.md`), each with the reason for its number. */

/** A whole run, as its asker plans it: long enough for figures that don't jump, short enough to wait for. */
export const RUN_MS_MAX = 60_000;

/** Part of it that is kept for the ends of steps, which wait for what is still on its way. */
export const RUN_SLACK_MS = 5_000;

/** Bytes one side sends in a run: 60 s at 2 Gbit/s. */
export const RUN_BYTES_MAX = 15_000_000_000;

/** A run whose asker says nothing for so long is over; it asks twice a second. */
export const LEASE_MS = 5_000;

/** Streams of one step: seven steps of 512 fit the 4,096 of a session, ended ones included. */
export const STREAMS_MAX = 512;

/** Steps of one run. */
export const STEPS_MAX = 7;

/**
 * Credit of one stream: 8 MiB for all of a step, but no more than 1 MiB and no less than a default window.
 * Unacknowledged bytes are at most 512 × 64 KiB = 32 MiB.
 */
export function benchWindowBytes(streams: number): number {
  return Math.max(65_536, Math.min(1_048_576, Math.floor(8_388_608 / streams)));
}

/** A question is repeated after this, and given up after that. */
export const REPEAT_MS = 250;
export const ANSWER_MS = 5_000;

/** How often the asker looks how a step is going. */
export const LOOK_MS = 500;

/** What was sent has this long to be acknowledged when a step ends. */
export const DRAIN_MS = 3_000;

/** An echo that did not come back within this is lost. */
export const ECHO_MS = 1_000;

/** Round trips kept of one step: 10 s at 20,000 per second are 1.6 MB. */
export const ECHOES_MAX = 200_000;

/** Events handed to a stream in one call. */
export const EVENTS_PER_CALL = 64;

/** Largest event measured: what passes a relay, whose routing header takes 18 bytes of 8104. */
export const BENCH_EVENT_BYTES_MAX = 8_086;
