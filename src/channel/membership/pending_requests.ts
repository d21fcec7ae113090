/**
 * Requests of this node that wait for their Ack (`identity-and-channels.md` 10, feature CH-08).
 *
 * An Ack counts only from the node that was asked: one from another is told apart from one that came too
 * late, because in an honest mesh it never happens (promise 75).
 */
import { PENDING_MAX } from "../limits.ts";

/** What an Ack turned out to be. */
export type MatchedAck<Request> =
  | { readonly kind: "answer"; readonly request: Request }
  /** Nobody waits for it: too late, or made up. */
  | { readonly kind: "unknown" }
  /** It names a request that another node was asked. */
  | { readonly kind: "not_asked" };

interface Pending<Request> {
  readonly peer: bigint;
  readonly request: Request;
  readonly deadline: number;
}

/** Requests by nonce. */
export class PendingRequests<Request> {
  readonly #byNonce = new Map<bigint, Pending<Request>>();

  /** Requests that wait. */
  get size(): number {
    return this.#byNonce.size;
  }

  /** True when no more can wait. */
  get isFull(): boolean {
    return this.#byNonce.size >= PENDING_MAX;
  }

  /** Notes a request that was sent. */
  add(nonce: bigint, peer: bigint, request: Request, deadline: number): void {
    this.#byNonce.set(nonce, { peer, request, deadline });
  }

  /** Finds the request that an Ack of `from` answers, and forgets it. */
  match(nonce: bigint, from: bigint): MatchedAck<Request> {
    const pending = this.#byNonce.get(nonce);
    if (pending === undefined) return { kind: "unknown" };
    if (pending.peer !== from) return { kind: "not_asked" };
    this.#byNonce.delete(nonce);
    return { kind: "answer", request: pending.request };
  }

  /** Takes out one request: nobody wants the answer any more. */
  remove(nonce: bigint): void {
    this.#byNonce.delete(nonce);
  }

  /** Takes out the requests whose time is over. */
  expire(now: number): Request[] {
    const expired: Request[] = [];
    for (const [nonce, { request, deadline }] of this.#byNonce) {
      if (deadline > now) continue;
      this.#byNonce.delete(nonce);
      expired.push(request);
    }
    return expired;
  }

  /** Takes out the requests to one node: it is gone. */
  takeOf(peer: bigint): Request[] {
    const taken: Request[] = [];
    for (const [nonce, pending] of this.#byNonce) {
      if (pending.peer !== peer) continue;
      this.#byNonce.delete(nonce);
      taken.push(pending.request);
    }
    return taken;
  }
}
