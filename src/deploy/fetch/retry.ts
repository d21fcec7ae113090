/** Failures that may pass: tried again with growing pauses, as long as there is progress. */
import { NetError } from "../../base/mod.ts";

/** What a {@linkcode PassingError} knows. */
export interface PassingErrorOptions {
  /** Time that the other side wants to be left alone for. */
  readonly afterMs?: number;
  /** True when going on where it stopped cannot work: only the whole file can. */
  readonly isFromStart?: boolean;
  readonly cause?: unknown;
}

/** Something that may go better next time. */
export class PassingError extends Error {
  override readonly name = "PassingError";
  readonly afterMs: number | undefined;
  readonly isFromStart: boolean;

  constructor(message: string, { afterMs, isFromStart, cause }: PassingErrorOptions = {}) {
    super(message, { cause });
    this.afterMs = afterMs;
    this.isFromStart = isFromStart ?? false;
  }
}

/** How often and how slowly is tried again. */
export interface RetryPolicy {
  /** Failures in a row, without a byte between them, that end it. */
  readonly attemptsMax: number;
  /** Pause after the first failure; it doubles with each. */
  readonly pauseMs: number;
  readonly pauseMsMax: number;
}

/** Half a second, one, two, four: a server that restarts is back by then. */
export const RETRY_POLICY: RetryPolicy = { attemptsMax: 5, pauseMs: 500, pauseMsMax: 8_000 };
/** Failures in all: a link that drops every megabyte is given up in the end. */
const FAILURES_MAX = 200;

/** Options of {@linkcode retrying}. */
export interface RetryingOptions {
  readonly policy: RetryPolicy;
  /** Grows with each byte: failures are counted anew when it did. */
  readonly progress: () => number;
  readonly what: string;
  readonly signal: AbortSignal;
}

/**
 * Calls `action` until it does not fail with {@linkcode PassingError}.
 *
 * @throws NetError `network` when it failed too often; whatever else `action` throws.
 */
export async function retrying<T>(action: () => Promise<T>, options: RetryingOptions): Promise<T> {
  const { policy, progress, what, signal } = options;
  let failures = 0;
  for (let total = 1;; total++) {
    const before = progress();
    try {
      signal.throwIfAborted();
      return await action();
    } catch (error) {
      if (!(error instanceof PassingError)) throw error;
      signal.throwIfAborted();
      failures = progress() > before ? 1 : failures + 1;
      if (failures >= policy.attemptsMax || total >= FAILURES_MAX) {
        throw new NetError("network", `${what}: ${error.message} (${total} attempts)`, {
          cause: error,
          next: "repeat the command: it goes on where it stopped",
        });
      }
      // A server's own wish counts, but nobody waits for ever.
      const ownMs = policy.pauseMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2);
      const pauseMs = Math.min(Math.max(ownMs, error.afterMs ?? 0), policy.pauseMsMax);
      await pause(pauseMs, signal);
    }
  }
}

/** Waits; an abort ends it with its reason. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
