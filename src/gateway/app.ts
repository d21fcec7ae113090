/**
 * The gateway as one HTTP application: the layers of `onions.md` 18 around its routes, from outside in: request
 * id, whether a web page sent it, rate, requests in flight, encodings, time, body.
 *
 * A route adds itself by being in the list; it cannot leave a layer out, only be vital.
 */
import { type Context, Hono } from "hono";
import {
  type Clock,
  concatBytes,
  NetError,
  type RandomBytes,
  toHex,
  TokenBucket,
} from "../base/mod.ts";
import { streamSource } from "../blob/mod.ts";
import type { Log } from "../observe/mod.ts";
import { BodyError } from "./http/body_reader.ts";
import { BODY_PIECE_BYTES } from "./http/limits.ts";
import type { RequestInfo } from "./http/connection.ts";
import type { GatewayCounters, RejectReason } from "./gateway_counters.ts";
import {
  ANSWER_MS,
  BODY_BYTES_MAX,
  CLIENT_SHARE,
  IN_FLIGHT_MAX,
  REQUEST_ID_CHARACTERS_MAX,
  REQUESTS_PER_SECOND,
  RETRY_AFTER_MS,
} from "./limits.ts";
import { type Problem, problemResponse, toProblem } from "./problem.ts";
import {
  type GatewayBody,
  type GatewayHandler,
  type GatewayRequest,
  type GatewayRoute,
  ProblemError,
  type RouteMethod,
} from "./route.ts";
import { checkWebOrigin } from "./web_guard.ts";

/** What {@linkcode createGatewayApp} needs. */
export interface GatewayAppDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly counters: GatewayCounters;
  /** The listener is reached from this machine only. */
  readonly isLocal: boolean;
  readonly limits?: { readonly inFlightMax?: number; readonly requestsPerSecond?: number };
}

/** Answers requests. */
export type GatewayApp = (request: Request, info: RequestInfo) => Promise<Response>;

interface Env {
  Bindings: {
    readonly info: RequestInfo;
    readonly requestId: string;
    /** The path of the route that answered, for the metrics. */
    route: string;
  };
}

type GatewayContext = Context<Env>;

/** A request id of a client is shown in logs and sent back: plain characters only. */
const REQUEST_ID = new RegExp(`^[A-Za-z0-9._:-]{1,${REQUEST_ID_CHARACTERS_MAX}}$`);

/** Builds the application. */
export function createGatewayApp(
  deps: GatewayAppDeps,
  routes: readonly GatewayRoute[],
): GatewayApp {
  const admission = new Admission(deps);
  const app = new Hono<Env>();
  for (const route of routes) {
    const allowed = allowedMethods(route);
    app.all(route.path, async (context) => {
      context.env.route = route.path;
      const refused = admission.check(context, route);
      if (refused !== undefined) return refused;
      const { method } = context.req.raw;
      if (method === "OPTIONS") {
        return new Response(null, { status: 204, headers: { allow: allowed } });
      }
      const handler = handlerOf(route, method);
      if (handler === undefined) return problemResponse(notAllowed(method, allowed));
      return await answer(deps, route, handler, context);
    });
  }
  app.all("*", (context) => admission.check(context, undefined) ?? problemResponse(NO_ROUTE));
  return async (request, info) => {
    const { headers } = request;
    const requestId = readId(headers, "x-request-id") ?? toHex(deps.random(8));
    const env = { info, requestId, route: "none" };
    const response = await app.fetch(request, env);
    deps.counters.countAnswer(env.route, request.method, response.status);
    response.headers.set("x-request-id", requestId);
    const correlation = readId(headers, "x-corr-id");
    if (correlation !== undefined) response.headers.set("x-corr-id", correlation);
    response.headers.set("x-content-type-options", "nosniff");
    return response;
  };
}

/** The layers before a route's own; what they answer is the end of the request. */
class Admission {
  readonly #deps: GatewayAppDeps;
  readonly #bucket: TokenBucket;
  readonly #inFlightMax: number;
  /** Requests under way by client; as many entries as requests at most. */
  readonly #clients = new Map<string, number>();

  constructor(deps: GatewayAppDeps) {
    this.#deps = deps;
    this.#inFlightMax = deps.limits?.inFlightMax ?? IN_FLIGHT_MAX;
    const perSecond = deps.limits?.requestsPerSecond ?? REQUESTS_PER_SECOND;
    this.#bucket = new TokenBucket({ perSecond }, deps.clock.now());
  }

  /** The refusal, or `undefined` when the route may answer. */
  check(context: GatewayContext, route: GatewayRoute | undefined): Response | undefined {
    const { clock, counters, isLocal } = this.#deps;
    const { method, headers, url } = context.req.raw;
    const foreign = checkWebOrigin({ method, headers, host: new URL(url).host }, isLocal);
    if (foreign !== undefined) {
      return this.#refuse(foreign.reason === "host" ? "host" : "origin", foreign);
    }
    if (route?.isVital === true) return undefined;
    if (!this.#bucket.take(1, clock.now())) return this.#refuse("rate_limited", RATE_LIMITED);
    const { remoteHost } = context.env.info;
    const ofClient = this.#clients.get(remoteHost) ?? 0;
    // On this machine all programs are one client.
    const clientMax = isLocal ? this.#inFlightMax : Math.ceil(this.#inFlightMax / CLIENT_SHARE);
    if (counters.inFlight >= this.#inFlightMax || ofClient >= clientMax) {
      return this.#refuse("too_busy", TOO_BUSY);
    }
    this.#enter(context.env.info);
    const encoding = headers.get("content-encoding");
    if (encoding !== null && encoding.trim().toLowerCase() !== "identity") {
      return this.#refuse("encoding", ENCODED);
    }
    const bytesMax = route?.bodyBytesMax ?? BODY_BYTES_MAX;
    const bytes = Number(headers.get("content-length") ?? 0);
    return bytes > bytesMax ? this.#refuse("body_too_large", tooLarge(bytesMax)) : undefined;
  }

  #enter({ remoteHost, onEnd }: RequestInfo): void {
    const { counters } = this.#deps;
    counters.inFlight += 1;
    this.#clients.set(remoteHost, (this.#clients.get(remoteHost) ?? 0) + 1);
    onEnd(() => {
      counters.inFlight -= 1;
      const left = (this.#clients.get(remoteHost) ?? 1) - 1;
      if (left > 0) this.#clients.set(remoteHost, left);
      else this.#clients.delete(remoteHost);
    });
  }

  #refuse(reason: RejectReason, problem: Problem): Response {
    this.#deps.counters.countReject(reason);
    return problemResponse(problem);
  }
}

/** Runs a handler in its time; what it throws becomes the answer. */
async function answer(
  deps: GatewayAppDeps,
  route: GatewayRoute,
  handler: GatewayHandler,
  context: GatewayContext,
): Promise<Response> {
  const { clock, counters } = deps;
  const late = new AbortController();
  const signal = AbortSignal.any([context.req.raw.signal, late.signal]);
  const { promise: outOfTime, reject } = Promise.withResolvers<never>();
  const answerMs = route.answerMs ?? ANSWER_MS;
  let cancelTimer = () => {};
  // A body comes at the pace of its client, whose patience the connection minds: the time begins behind it.
  const startTimer = () => {
    cancelTimer = clock.after(answerMs, () => {
      const error = new ProblemError(504, "timeout", `No answer within ${answerMs} ms`);
      late.abort(error);
      reject(error);
    });
  };
  const body = openBody(context, route, startTimer);
  if (body === undefined) startTimer();
  try {
    const request = toGatewayRequest(context, body, signal);
    return await Promise.race([handler(request), outOfTime]);
  } catch (error) {
    // Nobody is there to read it, but the connection wants an answer.
    const problem = describeFailure(deps, error, context.env.requestId);
    if (problem.status === 413) counters.countReject("body_too_large");
    if (problem.status === 401) counters.countReject("unauthorized");
    return problemResponse(problem);
  } finally {
    cancelTimer();
  }
}

function toGatewayRequest(
  context: GatewayContext,
  body: GatewayBody | undefined,
  signal: AbortSignal,
): GatewayRequest {
  const { raw } = context.req;
  const length = raw.headers.get("content-length");
  const bodyBytes = length === null ? (body === undefined ? 0 : undefined) : Number(length);
  return {
    method: raw.method as RouteMethod, // Those without a handler do not come here.
    headers: raw.headers,
    url: new URL(raw.url),
    param: (name) => context.req.param(name) ?? "",
    body,
    bodyBytes,
    remoteHost: context.env.info.remoteHost,
    signal,
  };
}

/** The body up to the bound of the route; `onEnd` when all of it came. */
function openBody(
  context: GatewayContext,
  route: GatewayRoute,
  onEnd: () => void,
): GatewayBody | undefined {
  const { body } = context.req.raw;
  if (body === null) return undefined;
  const bytesMax = route.bodyBytesMax ?? BODY_BYTES_MAX;
  const { info } = context.env;
  const stream = info.readBody === undefined ? streamSource(body) : undefined;
  let taken = 0;
  const read = async (into: Uint8Array) => {
    const count = await (stream?.read(into) ?? info.readBody?.(into) ?? null);
    if (count === null) onEnd();
    taken += count ?? 0;
    if (taken <= bytesMax) return count;
    const { status, code, message } = tooLarge(bytesMax);
    throw new ProblemError(status, code, message);
  };
  const bytes = async () => {
    const pieces: Uint8Array[] = [];
    for (;;) {
      const piece = new Uint8Array(BODY_PIECE_BYTES);
      const count = await read(piece);
      if (count === null) return concatBytes(...pieces);
      pieces.push(piece.subarray(0, count));
    }
  };
  return { read, bytes };
}

function handlerOf(route: GatewayRoute, method: string): GatewayHandler | undefined {
  const { handlers } = route;
  if (method === "HEAD") return handlers.HEAD ?? handlers.GET;
  return Object.hasOwn(handlers, method) ? handlers[method as RouteMethod] : undefined;
}

function allowedMethods({ handlers }: GatewayRoute): string {
  const methods = Object.keys(handlers);
  if (handlers.GET !== undefined && handlers.HEAD === undefined) methods.push("HEAD");
  return [...methods, "OPTIONS"].join(", ");
}

function readId(headers: Headers, name: string): string | undefined {
  const id = headers.get(name);
  return id !== null && REQUEST_ID.test(id) ? id : undefined;
}

function describeFailure({ log }: GatewayAppDeps, error: unknown, requestId: string): Problem {
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

const RATE_LIMITED: Problem = {
  status: 429,
  code: "rate_limited",
  message: "Cannot serve request: too many came in this second",
  retryable: true,
  retryAfterMs: RETRY_AFTER_MS,
};

const TOO_BUSY: Problem = {
  status: 503,
  code: "too_busy",
  message: "Cannot serve request: too many are under way",
  retryable: true,
  retryAfterMs: RETRY_AFTER_MS,
};

const ENCODED: Problem = {
  status: 415,
  code: "unsupported_media_type",
  message: "Cannot take the body of the request: it is encoded",
  reason: "content_encoding",
  next: "send it without Content-Encoding",
  headers: { "accept-encoding": "identity" },
};

const NO_ROUTE: Problem = {
  status: 404,
  code: "not_found",
  message: "There is nothing at this path",
  next: "objects are at /o/b3:…",
};

function tooLarge(bytesMax: number): Problem {
  return {
    status: 413,
    code: "payload_too_large",
    message: `Cannot take the body of the request: it has more than ${bytesMax} bytes`,
  };
}

function notAllowed(method: string, allowed: string): Problem {
  return {
    status: 405,
    code: "method_not_allowed",
    message: `Cannot serve request: ${method.slice(0, 32)} is none of this path's methods`,
    headers: { allow: allowed },
  };
}
