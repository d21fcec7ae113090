/** The last layer: a route's handler with its time, its body and its failures. */
import { concatBytes } from "../base/mod.ts";
import { streamSource } from "../blob/mod.ts";
import { CLIENT_LEFT, describeFailure, tooLarge } from "./failures.ts";
import type { GatewayAppDeps, GatewayContext } from "./gateway_env.ts";
import { BODY_PIECE_BYTES } from "./http/limits.ts";
import { ANSWER_MS, BODY_BYTES_MAX } from "./limits.ts";
import { problemResponse } from "./problem.ts";
import {
  type GatewayBody,
  type GatewayHandler,
  type GatewayRequest,
  type GatewayRoute,
  ProblemError,
  type RouteMethod,
} from "./route.ts";

/** Runs a handler in its time; what it throws becomes the answer. */
export async function answerWith(
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
    cancelTimer();
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
    // Nobody is there to read it, and that somebody left is no failure.
    if (context.req.raw.signal.aborted) return problemResponse(CLIENT_LEFT);
    const problem = describeFailure(deps.log, error, context.env.requestId);
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
