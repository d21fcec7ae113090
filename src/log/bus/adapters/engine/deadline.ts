/** Nothing is waited for without an end. */
import type { Clock } from "../../../../base/mod.ts";
import { BusError } from "../../error.ts";

/** How long to wait. */
export interface Deadline {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** What is waited for, as in `Cannot write to Redis at host:port`. */
  readonly action: string;
  /** Called when time is up, before the error. */
  readonly onLate?: () => void;
}

/**
 * Waits for `work` no longer than that; what it does afterwards is nobody's.
 *
 * @throws BusError `transient` when time is up or the signal aborts.
 */
export function withinDeadline<Value>(work: Promise<Value>, deadline: Deadline): Promise<Value> {
  const { clock, timeoutMs, signal, action, onLate } = deadline;
  // It may fail after nobody waits for it any more.
  work.catch(() => {});
  if (signal?.aborted) return Promise.reject(abandoned(action));
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => {
      signal?.removeEventListener("abort", onAbort);
      onLate?.();
      reject(new BusError("transient", `${action}: no answer within ${Math.ceil(timeoutMs)} ms`));
    });
    const onAbort = () => {
      cancel();
      reject(abandoned(action));
    };
    const settled = () => {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    work.then((value) => {
      settled();
      resolve(value);
    }, (error) => {
      settled();
      reject(error);
    });
  });
}

/** Waits, and is woken by the signal. */
export function pauseWithin(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const onAbort = () => {
      cancel();
      resolve();
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function abandoned(action: string): BusError {
  return new BusError("transient", `${action}: its caller waits no longer`);
}
