/** Waiting for something that a node will hear of. */
import type { Clock, NetError } from "../base/mod.ts";

/** What {@linkcode waitUntil} needs. */
export interface WaitUntilOptions<T> {
  readonly clock: Clock;
  /** What is waited for; `undefined` as long as it is not there. */
  readonly look: () => T | undefined;
  /** Each calls the handler when it is worth to look again; the result ends that. */
  readonly changes: readonly ((handler: () => void) => () => void)[];
  /** 0 looks only once. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What is thrown when the time is up. */
  readonly onTimeout: () => NetError;
}

/**
 * Resolves with what was waited for.
 *
 * @throws What `onTimeout` gives, or the signal's reason.
 */
export async function waitUntil<T>(options: WaitUntilOptions<T>): Promise<T> {
  const { clock, look, changes, timeoutMs, signal, onTimeout } = options;
  signal.throwIfAborted();
  const found = look();
  if (found !== undefined) return found;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const again = () => {
    try {
      const value = look();
      if (value !== undefined) resolve(value);
    } catch (error) {
      reject(error);
    }
  };
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  const stops = [
    ...changes.map((onChange) => onChange(again)),
    clock.after(timeoutMs, () => reject(onTimeout())),
    () => signal.removeEventListener("abort", onAbort),
  ];
  try {
    return await promise;
  } finally {
    for (const stop of stops) stop();
  }
}
