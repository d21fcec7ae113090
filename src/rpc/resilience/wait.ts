/** Waiting by a clock that is handed in. */
import type { Clock } from "../../base/mod.ts";

/**
 * Resolves after so many milliseconds.
 *
 * @throws The signal's reason, at once when it is aborted.
 */
export function wait(clock: Pick<Clock, "after">, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      stop();
      reject(signal?.reason);
    };
    const stop = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
