/** Calls that are made again (`nrpc.md` 14, promise 63). */
import type { Clock } from "../../base/mod.ts";
import { RpcError } from "../error.ts";
import { isRetryable } from "./failures.ts";
import {
  RETRY_AFTER_MS_MAX,
  RETRY_ATTEMPTS,
  RETRY_ATTEMPTS_MAX,
  RETRY_DELAY_MS,
  RETRY_DELAY_MS_MAX,
} from "./limits.ts";
import { wait } from "./wait.ts";

/** How often and when a call is made again. */
export interface RetryOptions {
  /** Attempts, the first one included, 1 to 100; 3 when left out. */
  readonly attempts?: number;
  /** Milliseconds between the first two; 50 when left out. */
  readonly delayMs?: number;
  /** The pause grows by this factor; 2 when left out. */
  readonly factor?: number;
  /** Longest pause in milliseconds; 1000 when left out. */
  readonly delayMsMax?: number;
  /** Pauses are shortened by chance, down to half; true when left out. */
  readonly hasJitter?: boolean;
  /** Milliseconds for one attempt; all that is left when left out. */
  readonly attemptTimeoutMs?: number;
  /** Whether a failure is worth another attempt; {@linkcode isRetryable} when left out. */
  readonly isRetryable?: (error: unknown) => boolean;
}

/** Time and chance. */
export interface RetryDeps {
  readonly clock: Pick<Clock, "now" | "after">;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
}

/** Limits of a retried call as a whole. */
export interface RetryLimits {
  /** Time of the clock, shared by all attempts, at which nobody waits any more. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Makes attempts until one goes well, none is left, the failure is not worth another, or the next one would begin
 * only after the deadline; then the last failure is the result.
 *
 * @param attempt Is given its number, from 0 on.
 * @throws What the last attempt threw; RpcError `cancelled` when the signal is aborted between two.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { retry } from "./retry.ts";
 * const deps = { clock: systemClock, random: Math.random };
 * const answer = await retry(() => Promise.resolve(42), { attempts: 5 }, deps);
 * console.assert(answer === 42);
 * ```
 */
export async function retry<T>(
  attempt: (number: number) => Promise<T>,
  options: RetryOptions,
  deps: RetryDeps,
  limits: RetryLimits = {},
): Promise<T> {
  const { attempts = RETRY_ATTEMPTS, isRetryable: isWorth = isRetryable } = options;
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > RETRY_ATTEMPTS_MAX) {
    throw new RangeError(`Cannot retry: attempts is ${attempts}, must be 1 to 100`);
  }
  for (let number = 0;; number++) {
    try {
      return await attempt(number);
    } catch (error) {
      if (number + 1 >= attempts || !isWorth(error)) throw error;
      const pauseMs = Math.max(backoffMs(number, options, deps.random), askedMs(error));
      if (deps.clock.now() + pauseMs >= (limits.deadlineMs ?? Infinity)) throw error;
      await pauseOrCancel(deps.clock, pauseMs, limits.signal);
    }
  }
}

/** Pause behind the attempt of this number, jitter included. */
export function backoffMs(number: number, options: RetryOptions, random: () => number): number {
  const {
    delayMs = RETRY_DELAY_MS,
    factor = 2,
    delayMsMax = RETRY_DELAY_MS_MAX,
    hasJitter = true,
  } = options;
  const full = Math.min(delayMsMax, delayMs * factor ** number);
  return hasJitter ? full * (0.5 + random() / 2) : full;
}

/** What the server asks for. */
function askedMs(error: unknown): number {
  const ms = error instanceof RpcError ? error.retryAfterMs ?? 0 : 0;
  return Math.min(RETRY_AFTER_MS_MAX, ms);
}

async function pauseOrCancel(
  clock: Pick<Clock, "after">,
  ms: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await wait(clock, ms, signal);
  } catch (cause) {
    throw new RpcError("cancelled", "Call was cancelled between two attempts", { cause });
  }
}
