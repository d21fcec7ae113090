/** Waiting by a clock that is handed in. */
import type { Clock } from "../../base/mod.ts";

/**
 * Resolves after so long.
 *
 * @throws The signal's reason once it is aborted.
 */
export function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      cancel();
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const cancel = clock.after(ms, () => end(resolve));
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** A signal that is aborted with this one, or when the time is up; `end` gives the timer back. */
export function bounded(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const timeout = new AbortController();
  const cancel = clock.after(ms, () => timeout.abort(new Error("the time is up")));
  return { signal: AbortSignal.any([signal, timeout.signal]), end: cancel };
}
