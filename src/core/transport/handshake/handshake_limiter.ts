/**
 * Bounds on handshake packets, which anybody can send: each costs two or more X25519 operations before
 * anything about its sender is known.
 */
import { TokenBucket } from "../../../base/mod.ts";
import { HANDSHAKE_SOURCES_MAX } from "../limits.ts";

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
    this.#total = new TokenBucket(share, now);
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
      source = new TokenBucket({ perSecond: this.#share.perSourcePerSecond }, now);
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
