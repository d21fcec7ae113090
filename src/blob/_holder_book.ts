/**
 * Whom to ask for a chunk, and in which order: what one get learned of its peers, on top of what the
 * node knows of liars.
 */
import { REPUTATIONS_MAX } from "./limits.ts";

/** Peers that sent other bytes than asked for; lives as long as the node. */
export class Reputation {
  readonly #strikes = new Map<bigint, number>();

  /** Notes a lie. */
  strike(peer: bigint): void {
    if (this.#strikes.size >= REPUTATIONS_MAX && !this.#strikes.has(peer)) {
      const oldest = this.#strikes.keys().next();
      if (!oldest.done) this.#strikes.delete(oldest.value);
    }
    this.#strikes.set(peer, this.strikes(peer) + 1);
  }

  /** How often it lied. */
  strikes(peer: bigint): number {
    return this.#strikes.get(peer) ?? 0;
  }
}

/** What one get knows of the peers it may ask. */
export class HolderBook {
  readonly #reputation: Reputation;
  /** Peers that had something of this blob. */
  readonly #holders = new Set<bigint>();
  /** Peers that lacked something of it. */
  readonly #lacking = new Set<bigint>();

  constructor(reputation: Reputation) {
    this.#reputation = reputation;
  }

  /** Notes that a peer has the blob, or says so. */
  noteHolder(peer: bigint): void {
    this.#holders.add(peer);
    this.#lacking.delete(peer);
  }

  /** Notes that a peer lacks a chunk. */
  noteLacking(peer: bigint): void {
    this.#lacking.add(peer);
    this.#holders.delete(peer);
  }

  /** Notes that a peer lied. */
  noteLie(peer: bigint): void {
    this.#reputation.strike(peer);
    this.#holders.delete(peer);
  }

  /** Peers to ask, best first: holders, unknown ones, lacking ones; liars last. */
  order(connected: readonly bigint[]): bigint[] {
    const rank = (peer: bigint) =>
      this.#reputation.strikes(peer) * 3 +
      (this.#holders.has(peer) ? 0 : this.#lacking.has(peer) ? 2 : 1);
    return [...connected].sort((a, b) => rank(a) - rank(b));
  }

  /** True when somebody who has the blob is not among `connected`. */
  isHolderAway(connected: readonly bigint[]): boolean {
    for (const holder of this.#holders) if (!connected.includes(holder)) return true;
    return false;
  }
}
