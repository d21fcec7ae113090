/** Handing one batch to the adapter: tries, pauses between them, time limits (`storage.md` 2.3). */
import type { Clock } from "../../base/mod.ts";
import { BusError } from "./error.ts";
import type { Batch, BusAdapter } from "./types.ts";

const BACKOFF_MS = 100;
const DOUBLINGS_MAX = 5;
/** Jitter of at most a quarter in either direction. */
const JITTER_STEPS = 51;

/** What a dispatch needs. */
export interface DispatchDeps {
  readonly clock: Clock;
  readonly adapter: BusAdapter;
}

/** Bounds of a dispatch. */
export interface DispatchOptions {
  /** Tries besides the first. */
  readonly retries: number;
  /** For each try. */
  readonly timeoutMs: number;
  /** Gives up at once. */
  readonly signal: AbortSignal;
}

/**
 * Hands a batch over; `undefined` when the adapter took it, else why it did not.
 *
 * A try that ran out of time counts as `transient`, and its write may still arrive: adapters tell repeats by
 * their dedup ids.
 */
export async function dispatchBatch(
  { clock, adapter }: DispatchDeps,
  batch: Batch,
  { retries, timeoutMs, signal }: DispatchOptions,
): Promise<BusError | undefined> {
  for (let attempt = 0;; attempt++) {
    try {
      await withTimeout(clock, timeoutMs, signal, "write", (limit) => adapter.write(batch, limit));
      return undefined;
    } catch (thrown) {
      const error = toBusError(thrown, `Cannot write batch to ${adapter.name}`);
      if (!error.isRetryable || attempt >= retries || signal.aborted) return error;
    }
    await pauseFor(clock, backoffMs(attempt, batch), signal);
    if (signal.aborted) return aborted();
  }
}

/** Pause after a try: 100 ms, doubled five times at most, give or take a quarter that the batch decides. */
export function backoffMs(attempt: number, batch: Batch): number {
  const base = BACKOFF_MS * 2 ** Math.min(attempt, DOUBLINGS_MAX);
  const seed = Number((batch.sequenceStart * 31n + batch.producerNonce) & 0xffff_ffffn);
  const step = (Math.imul(seed + batch.shard, 0x9e37_79b1) + attempt * 17 >>> 0) % JITTER_STEPS;
  return base * (1 + (step - 25) / 100);
}

/**
 * Runs a call of the adapter with a time limit that holds even when the adapter does not look at its signal.
 *
 * @throws BusError `transient` when the time is over, what the signal or the adapter throws.
 */
export async function withTimeout<Value>(
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  what: string,
  call: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  let onAbort = () => {};
  const given = new Promise<never>((_, reject) => {
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason));
    onAbort = () => controller.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  const cancel = clock.after(timeoutMs, () =>
    controller.abort(
      new BusError("transient", `Cannot ${what}: the adapter took more than ${timeoutMs} ms`, {
        next: "look at the engine behind the bus, or set a longer adapter timeout",
      }),
    ));
  try {
    return await Promise.race([call(controller.signal), given]);
  } finally {
    cancel();
    signal?.removeEventListener("abort", onAbort);
    given.catch(() => {});
  }
}

/** Anything thrown as an error of the bus; what is none is `fatal`. */
export function toBusError(thrown: unknown, action: string): BusError {
  if (thrown instanceof BusError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new BusError("fatal", `${action}: ${message}`, { cause: thrown });
}

/** The error of a batch that was given up. */
export function aborted(): BusError {
  return new BusError("shutting_down", "Cannot write batch: the bus was shut down");
}

function pauseFor(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}
