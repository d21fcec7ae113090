/** The failures of the gateway as problems: those of its layers, and those that routes throw. */
import { NetError } from "../base/mod.ts";
import type { Log } from "../observe/mod.ts";
import { BodyError } from "./http/body_reader.ts";
import { DRAIN_RETRY_AFTER_MS, RETRY_AFTER_MS } from "./limits.ts";
import { type Problem, toProblem } from "./problem.ts";
import { ProblemError } from "./route.ts";

/** How a failure is answered; what nobody expected is logged, and told by the id of the request alone. */
export function describeFailure(log: Log, error: unknown, requestId: string): Problem {
  const known = findKnown(error);
  if (known instanceof ProblemError) {
    const { status, problem, message, next, headers } = known;
    return { status, code: problem, message, next, headers, retryable: status === 504 };
  }
  if (known instanceof BodyError) {
    const message = `Cannot read the body of the request: ${known.message}`;
    return { status: 400, code: "bad_request", message };
  }
  if (known !== undefined) {
    const problem = toProblem(known);
    return problem.status === 500 ? internal(log, error, requestId) : problem;
  }
  return internal(log, error, requestId);
}

/** Failures of a body come wrapped by whoever read it. */
function findKnown(error: unknown): NetError | BodyError | undefined {
  let found: NetError | undefined;
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at instanceof BodyError || at instanceof ProblemError) return at;
    if (at instanceof NetError) found ??= at;
  }
  return found;
}

/** What went wrong inside is for the log; the client gets the id to find it there. */
function internal(log: Log, error: unknown, requestId: string): Problem {
  const reason = error instanceof Error ? error.message : String(error);
  log.error("http_request_failed", { request_id: requestId, reason });
  return {
    status: 500,
    code: "internal",
    message: "The request failed inside the node",
    next: `look for ${requestId} in the node's log`,
  };
}

/** The status is one that others use for it too; it is counted and not sent. */
export const CLIENT_LEFT: Problem = {
  status: 499,
  code: "client_left",
  message: "The client left before it was answered",
};

/** Too many requests in this second. */
export const RATE_LIMITED: Problem = {
  status: 429,
  code: "rate_limited",
  message: "Cannot serve request: too many came in this second",
  retryable: true,
  retryAfterMs: RETRY_AFTER_MS,
};

/** Too many requests under way. */
export const TOO_BUSY: Problem = {
  status: 503,
  code: "too_busy",
  message: "Cannot serve request: too many are under way",
  retryable: true,
  retryAfterMs: RETRY_AFTER_MS,
};

/** The node drains. The connection ends, so that the client's next request goes where work is taken. */
export const DRAINING: Problem = {
  status: 503,
  code: "draining",
  message: "Service draining",
  retryable: true,
  retryAfterMs: DRAIN_RETRY_AFTER_MS,
  next: "ask another node, or this one when it is back",
  headers: { connection: "close" },
};

/** An encoded body. */
export const ENCODED: Problem = {
  status: 415,
  code: "unsupported_media_type",
  message: "Cannot take the body of the request: it is encoded",
  reason: "content_encoding",
  next: "send it without Content-Encoding",
  headers: { "accept-encoding": "identity" },
};

/** A path that is none. */
export const NO_ROUTE: Problem = {
  status: 404,
  code: "not_found",
  message: "There is nothing at this path",
  next: "objects are at /o/b3:…, what is known of the node's health at /healthz",
};

/** A body above its bound. */
export function tooLarge(bytesMax: number): Problem {
  return {
    status: 413,
    code: "payload_too_large",
    message: `Cannot take the body of the request: it has more than ${bytesMax} bytes`,
  };
}

/** A method that the path has not. */
export function notAllowed(method: string, allowed: string): Problem {
  return {
    status: 405,
    code: "method_not_allowed",
    message: `Cannot serve request: ${method.slice(0, 32)} is none of this path's methods`,
    headers: { allow: allowed },
  };
}
