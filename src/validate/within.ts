/** Waiting with a limit, for work that cannot be told to stop. */

/** Stands for "not in time". */
export const LATE = Symbol("late");

/** Longest time a timer takes; it fires at once for more. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * Waits at most so long; the work itself goes on.
 *
 * @returns {@linkcode LATE} when the time is up.
 * @throws What the work throws, or the signal's reason.
 */
export async function within<T>(
  work: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<T | typeof LATE> {
  // Work that is given up may still fail; nobody waits for it then.
  work.catch(() => {});
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<typeof LATE>();
  const timer = setTimeout(() => resolve(LATE), Math.min(Math.max(0, timeoutMs), TIMER_MS_MAX));
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
