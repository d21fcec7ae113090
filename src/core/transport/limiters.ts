/**
 * Bounds on work that anybody can cause: handshake packets, each of which costs two or more X25519
 * operations before anything about its sender is known, and relaying for strangers.
 */

import { HANDSHAKE_SOURCES_MAX } from "./limits.ts";

/** Tokens that refill with time. */
export class TokenBucket {
  readonly #perSecond: number;
  #tokens: number;
  #filledAt: number;

  /** @param perSecond Tokens it gets in a second, and the most it holds. */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAt = now;
  }

  /** True when it holds all it can: then it says no more than a new one. */
  isFull(now: number): boolean {
    return this.has(this.#perSecond, now);
  }

  /** True when so many tokens are there. */
  has(count: number, now: number): boolean {
    const gained = (now - this.#filledAt) * this.#perSecond / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
    this.#filledAt = now;
    return this.#tokens >= count;
  }

  /** Takes tokens; false, and none is taken, when there are too few. */
  take(count: number, now: number): boolean {
    if (!this.has(count, now)) return false;
    this.#tokens -= count;
    return true;
  }
}

/** What one share of the handshakes may use. */
export interface HandshakeShare {
  readonly perSecond: number;
  readonly perSourcePerSecond: number;
}

/** Token buckets: one for all sources together, one per source host. */
export class HandshakeLimiter {
  readonly #share: HandshakeShare;
  readonly #total: TokenBucket;
  readonly #sources = new Map<string, TokenBucket>();

  constructor(share: HandshakeShare, now: number) {
    this.#share = share;
    this.#total = new TokenBucket(share.perSecond, now);
  }

  /** Sources remembered. */
  get size(): number {
    return this.#sources.size;
  }

  /**
   * Takes tokens for one packet.
   *
   * @param host Source address; all its ports share one bucket.
   * @param cost Number of keys that will be tried.
   * @returns False when the packet has to be dropped.
   */
  take(host: string, cost: number, now: number): boolean {
    // Before anything else, so that a flood from ever new sources does not push out the ones known.
    if (!this.#total.has(cost, now)) return false;
    let source = this.#sources.get(host);
    if (source === undefined) {
      if (this.#sources.size >= HANDSHAKE_SOURCES_MAX) this.#forgetOldest();
      source = new TokenBucket(this.#share.perSourcePerSecond, now);
      this.#sources.set(host, source);
    }
    return source.take(1, now) && this.#total.take(cost, now);
  }

  /** Forgets sources that may do as much as new ones. */
  sweep(now: number): void {
    for (const [host, source] of this.#sources) if (source.isFull(now)) this.#sources.delete(host);
  }

  #forgetOldest(): void {
    let surplus = HANDSHAKE_SOURCES_MAX / 2;
    for (const host of this.#sources.keys()) {
      if (surplus-- <= 0) break;
      this.#sources.delete(host);
    }
  }
}
