/** What is answered when a request fails: `{code, message, retryable, …}` (`onions.md` 18), as RFC 9457 has it. */
import { ERROR_FACES, type NetError } from "../base/mod.ts";

/** A failure as its client sees it. */
export interface Problem {
  readonly status: number;
  /** Stable and machine-readable. */
  readonly code: string;
  readonly message: string;
  /** True when the same request may succeed later. */
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly reason?: string;
  /** What the client can do now. */
  readonly next?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The answer that says so; `Retry-After` goes with `retryAfterMs`, in whole seconds. */
export function problemResponse(problem: Problem): Response {
  const { status, code, message, retryable = false, retryAfterMs, reason, next } = problem;
  return jsonResponse(
    {
      title: message,
      status,
      code,
      message,
      retryable,
      retry_after_ms: retryAfterMs,
      reason,
      next,
    },
    status,
    {
      "content-type": "application/problem+json",
      ...problem.headers,
      ...(retryAfterMs === undefined ? {} : {
        "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
      }),
    },
  );
}

/** An answer in JSON with its length, so that the connection stays usable in every version of HTTP. */
export function jsonResponse(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const bytes = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  return new Response(bytes, {
    status,
    headers: {
      "content-type": "application/json",
      "content-length": String(bytes.length),
      "cache-control": "no-store",
      ...headers,
    },
  });
}

/** Failures that may be over a moment later. */
const RETRYABLE = new Set([
  "unreachable",
  "not_ready",
  "draining",
  "timeout",
  "limit",
  "backpressure",
  "network",
]);

/** Time after which a busy node is worth another try. */
const RETRY_AFTER_MS = 1_000;

/** An expected failure of the node as a problem. */
export function toProblem(error: NetError): Problem {
  const { code, message, next } = error;
  const retryable = RETRYABLE.has(code);
  const status = ERROR_FACES[code].http;
  return {
    status,
    code,
    message,
    retryable,
    next,
    retryAfterMs: retryable && (status === 429 || status === 503) ? RETRY_AFTER_MS : undefined,
  };
}
