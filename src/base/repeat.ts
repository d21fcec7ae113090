/** Doing something again and again. */
import type { Clock } from "./clock.ts";

/**
 * Calls `action` every `everyMs`, the first time after that long; the result stops it.
 *
 * @example
 * ```ts
 * import { systemClock } from "./clock.ts";
 * import { repeat } from "./repeat.ts";
 * const stop = repeat(systemClock, 1_000, () => console.log("another second"));
 * stop();
 * ```
 */
export function repeat(clock: Clock, everyMs: number, action: () => void): () => void {
  let cancel = () => {};
  let isStopped = false;
  const tick = () => {
    action();
    // The action may have stopped it.
    if (!isStopped) cancel = clock.after(everyMs, tick);
  };
  cancel = clock.after(everyMs, tick);
  return () => {
    isStopped = true;
    cancel();
  };
}
