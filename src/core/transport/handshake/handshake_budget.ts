/**
 * How much of this node's time strangers' first messages get (`sealed.md` 5, `limits.ts`).
 *
 * Three shares that cannot use up each other: for anybody, for whoever showed with a token that it
 * receives at its address, and for what a peer relayed, where no token reaches the sender. What goes
 * beyond the first is answered with a RETRY if its form says that its sender knows that.
 */
import type { Clock } from "../../../base/mod.ts";
import type { AddressGuard } from "./address_guard.ts";
import type { TransportCounters } from "../counters.ts";
import { HandshakeLimiter } from "./handshake_limiter.ts";
import {
  HANDSHAKES_PER_SECOND,
  HANDSHAKES_PER_SOURCE_PER_SECOND,
  RELAYED_HANDSHAKES_PER_SECOND,
  RETRIED_HANDSHAKES_PER_SECOND,
  RETRIED_HANDSHAKES_PER_SOURCE_PER_SECOND,
} from "../limits.ts";
import type { RetryGate } from "./retry_gate.ts";
import type { SocketAddress } from "../types.ts";

/** A first message, as far as its budget goes. */
export interface HandshakeArrival {
  readonly message: Uint8Array;
  readonly from: SocketAddress;
  /** Bytes of the whole datagram. */
  readonly datagramBytes: number;
  /** Number of keys that will be tried. */
  readonly cost: number;
  readonly isRelayed: boolean;
  /** It came behind a token that holds. */
  readonly isRetried: boolean;
}

/** What {@linkcode HandshakeBudget} needs. */
export interface HandshakeBudgetDeps {
  readonly clock: Clock;
  readonly counters: TransportCounters;
  readonly guard: AddressGuard;
  /** Left out where no session is sealed. */
  readonly retries?: RetryGate;
}

/** Admits first messages. */
export class HandshakeBudget {
  readonly #deps: HandshakeBudgetDeps;
  readonly #anybody: HandshakeLimiter;
  readonly #retried: HandshakeLimiter;
  readonly #relayed: HandshakeLimiter;

  constructor(deps: HandshakeBudgetDeps) {
    const now = deps.clock.now();
    this.#deps = deps;
    this.#anybody = new HandshakeLimiter({
      perSecond: HANDSHAKES_PER_SECOND,
      perSourcePerSecond: HANDSHAKES_PER_SOURCE_PER_SECOND,
    }, now);
    this.#retried = new HandshakeLimiter({
      perSecond: RETRIED_HANDSHAKES_PER_SECOND,
      perSourcePerSecond: RETRIED_HANDSHAKES_PER_SOURCE_PER_SECOND,
    }, now);
    this.#relayed = new HandshakeLimiter({
      perSecond: RELAYED_HANDSHAKES_PER_SECOND,
      perSourcePerSecond: HANDSHAKES_PER_SOURCE_PER_SECOND,
    }, now);
  }

  /** Forgets sources that were silent long enough. */
  sweep(): void {
    const now = this.#deps.clock.now();
    for (const share of [this.#anybody, this.#retried, this.#relayed]) share.sweep(now);
  }

  /** True when the message is to be worked on; otherwise it has been answered or counted as dropped. */
  admits(arrival: HandshakeArrival): boolean {
    const { clock, counters, guard, retries } = this.#deps;
    const { message, from, datagramBytes, cost, isRelayed, isRetried } = arrival;
    const isVouched = isRelayed && guard.isProven(from);
    const share = isRetried ? this.#retried : isVouched ? this.#relayed : this.#anybody;
    const now = clock.now();
    if (share.take(from.host, cost, now)) return true;
    const isAnswerable = !isRetried && !isRelayed;
    if (isAnswerable && retries?.answer(message, from, datagramBytes, now)) return false;
    counters.drop_handshake_rate_total += 1;
    return false;
  }
}
