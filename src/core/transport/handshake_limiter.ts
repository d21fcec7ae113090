/**
 * Bounds the work that handshake packets can cause: each costs two or more X25519 operations before
 * anything about its sender is known.
 */

import {
  HANDSHAKE_SOURCES_MAX,
  HANDSHAKES_PER_SECOND,
  HANDSHAKES_PER_SOURCE_PER_SECOND,
} from "./limits.ts";

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Token buckets: one for all sources together, one per source host. */
export class HandshakeLimiter {
  readonly #total: Bucket;
  readonly #sources = new Map<string, Bucket>();

  constructor(now: number) {
    this.#total = { tokens: HANDSHAKES_PER_SECOND, filledAt: now };
  }

  /**
   * Takes tokens for one packet.
   *
   * @param host Source address; all its ports share one bucket.
   * @param cost Number of keys that will be tried.
   * @returns False when the packet has to be dropped.
   */
  take(host: string, cost: number, now: number): boolean {
    let source = this.#sources.get(host);
    if (source === undefined) {
      if (this.#sources.size >= HANDSHAKE_SOURCES_MAX) this.#forgetOldest();
      source = { tokens: HANDSHAKES_PER_SOURCE_PER_SECOND, filledAt: now };
      this.#sources.set(host, source);
    }
    refill(source, HANDSHAKES_PER_SOURCE_PER_SECOND, now);
    if (source.tokens < 1) return false;
    refill(this.#total, HANDSHAKES_PER_SECOND, now);
    if (this.#total.tokens < cost) return false;
    source.tokens -= 1;
    this.#total.tokens -= cost;
    return true;
  }

  #forgetOldest(): void {
    let surplus = HANDSHAKE_SOURCES_MAX / 2;
    for (const host of this.#sources.keys()) {
      if (surplus-- <= 0) break;
      this.#sources.delete(host);
    }
  }
}

function refill(bucket: Bucket, perSecond: number, now: number): void {
  bucket.tokens = Math.min(perSecond, bucket.tokens + (now - bucket.filledAt) * perSecond / 1000);
  bucket.filledAt = now;
}
