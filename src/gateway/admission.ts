/**
 * The layers of the gateway in front of a route: whether a web page sent the request, rate, requests under way,
 * encodings, the length of the body (`onions.md` 18).
 */
import { TokenBucket } from "../base/mod.ts";
import { DRAINING, ENCODED, RATE_LIMITED, TOO_BUSY, tooLarge } from "./failures.ts";
import type { RejectReason } from "./gateway_counters.ts";
import type { GatewayAppDeps, GatewayContext } from "./gateway_env.ts";
import type { RequestInfo } from "./http/connection.ts";
import { BODY_BYTES_MAX, CLIENT_SHARE, IN_FLIGHT_MAX, REQUESTS_PER_SECOND } from "./limits.ts";
import { type Problem, problemResponse } from "./problem.ts";
import type { GatewayRoute } from "./route.ts";
import { checkWebOrigin } from "./web_guard.ts";

/** Lets requests through; what it answers is the end of them. */
export class Admission {
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
    if (this.#deps.isDraining?.() === true) return this.#refuse("draining", DRAINING);
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
