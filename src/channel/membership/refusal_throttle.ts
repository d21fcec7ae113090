/**
 * Peers that were refused too often are not looked at for a while (`identity-and-channels.md` 11, feature
 * CH-09): 16 refusals within a minute begin 30 seconds in which every request to subscribe is answered
 * rate-limited. One accepted request clears the count. Pure; the caller says what counts.
 */
import { REFUSAL_WINDOW_MS, REFUSALS_MAX, THROTTLE_MS, THROTTLED_PEERS_MAX } from "../limits.ts";

interface Refusals {
  count: number;
  /** When the first of them was. */
  since: number;
  throttledUntil: number;
}

/** Refusals by peer. */
export class RefusalThrottle {
  readonly #peers = new Map<bigint, Refusals>();

  /** Peers remembered. */
  get size(): number {
    return this.#peers.size;
  }

  /** True while the peer is not looked at. */
  isThrottled(peer: bigint, now: number): boolean {
    return (this.#peers.get(peer)?.throttledUntil ?? -Infinity) > now;
  }

  /** The peer was refused; true when that begins a throttle. */
  onRefused(peer: bigint, now: number): boolean {
    let refusals = this.#peers.get(peer);
    if (refusals === undefined) {
      this.#makeRoom();
      refusals = { count: 0, since: now, throttledUntil: -Infinity };
      this.#peers.set(peer, refusals);
    }
    if (now - refusals.since >= REFUSAL_WINDOW_MS) {
      refusals.count = 0;
      refusals.since = now;
    }
    refusals.count += 1;
    if (refusals.count < REFUSALS_MAX) return false;
    refusals.count = 0;
    refusals.since = now;
    refusals.throttledUntil = now + THROTTLE_MS;
    return true;
  }

  /** The peer was let in: what was before is forgotten. */
  onAccepted(peer: bigint): void {
    this.#peers.delete(peer);
  }

  /** Forgets those of whom nothing counts any more. */
  sweep(now: number): void {
    for (const [peer, { since, throttledUntil }] of this.#peers) {
      if (throttledUntil <= now && now - since >= REFUSAL_WINDOW_MS) this.#peers.delete(peer);
    }
  }

  #makeRoom(): void {
    if (this.#peers.size < THROTTLED_PEERS_MAX) return;
    for (const oldest of this.#peers.keys()) {
      this.#peers.delete(oldest);
      return;
    }
  }
}
