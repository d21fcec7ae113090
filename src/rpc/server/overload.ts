/** When a service that has too much to do is worth another try: about when its handlers will be through. */
import type { Histogram } from "../metrics/mod.ts";
import { HeaderName, type RpcHeader, Status, textHeader } from "../wire/mod.ts";
import { type Failure, failure } from "./failure.ts";
import { RETRY_AFTER_MS_FIRST, RETRY_AFTER_MS_MAX, RETRY_AFTER_MS_MIN } from "./limits.ts";

/** The answer to a call for which there is no room. */
export function overloadFailure(what: string, retryAfterMs: number): Failure {
  return failure(Status.backpressure, `${what}: try again in ${retryAfterMs} ms`, [
    retryHeader(retryAfterMs),
  ]);
}

/** Milliseconds, by what handlers have taken so far. */
export function retryAfterMs(durations: Histogram): number {
  if (durations.count === 0) return RETRY_AFTER_MS_FIRST;
  const averageMs = durations.sumMs / durations.count;
  return Math.round(Math.min(RETRY_AFTER_MS_MAX, Math.max(RETRY_AFTER_MS_MIN, averageMs)));
}

/** Says when another try is worth it. */
export function retryHeader(ms: number): RpcHeader {
  return textHeader(HeaderName.retryAfter, String(ms));
}
