/** What the gateway counts; labels come from fixed sets, so the table cannot grow without bound. */
import type { CounterSet } from "../observe/mod.ts";

const METHODS = new Set(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]);

/** Why a request was turned away before a route saw it. */
export type RejectReason =
  | "rate_limited"
  | "too_busy"
  | "draining"
  | "encoding"
  | "body_too_large"
  | "host"
  | "origin"
  | "unauthorized";

/** Counters of the gateway, with the names of `onions.md` 24. */
export class GatewayCounters {
  inFlight = 0;
  integrityFails = 0;
  readonly #answered = new Map<string, number>();
  readonly #rejected: Record<RejectReason, number> = {
    rate_limited: 0,
    too_busy: 0,
    draining: 0,
    encoding: 0,
    body_too_large: 0,
    host: 0,
    origin: 0,
    unauthorized: 0,
  };

  /** @param route Path of a route, or `none`. */
  countAnswer(route: string, method: string, status: number): void {
    const known = METHODS.has(method) ? method : "other";
    const key = `http_requests_total{route="${route}",method="${known}",status="${status}"}`;
    this.#answered.set(key, (this.#answered.get(key) ?? 0) + 1);
  }

  countReject(reason: RejectReason): void {
    this.#rejected[reason] += 1;
  }

  snapshot(): CounterSet {
    return {
      inflight_requests: this.inFlight,
      integrity_fail_total: this.integrityFails,
      ...Object.fromEntries(this.#answered),
      ...Object.fromEntries(
        Object.entries(this.#rejected).map((
          [reason, count],
        ) => [`rejected_total{reason="${reason}"}`, count]),
      ),
    };
  }
}
