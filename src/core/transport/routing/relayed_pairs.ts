/**
 * Who shook hands with whom through this node (`wire.md` 9.4).
 *
 * A Rust endpoint behind a relay sends its data without a routing header. This node remembers the two
 * addresses of a handshake it relayed in both directions, and can then pass such a packet on from one to
 * the other. When an address has several partners, the session id of what the other side sent with a
 * routing header tells them apart; what stays ambiguous is not passed on.
 */

import { addressKey } from "../address.ts";
import { RELAYED_PAIR_IDLE_MS, RELAYED_PAIRS_MAX } from "../mesh_limits.ts";
import type { SocketAddress } from "../types.ts";

/** An initiator that wraps what it sends does so at once, with its first heartbeat or proof. */
const CURIOUS_MS = 5_000;

/** One end of a pair. */
interface End {
  readonly address: SocketAddress;
  readonly key: string;
}

interface Pair {
  /** Who sent the first message, and who got it. */
  readonly initiator: End;
  readonly responder: End;
  /** The second message came back: a session may exist. */
  isAnswered: boolean;
  /** The session between the two, as far as it is known. */
  session: { readonly low: number; readonly high: number } | undefined;
  usedAt: number;
}

/** Counters of the table. */
export interface RelayedPairCounters {
  relayed_pairs_total: number;
  relayed_pairs_evicted_total: number;
}

/** Pairs of addresses. */
export class RelayedPairs {
  readonly counters: RelayedPairCounters = {
    relayed_pairs_total: 0,
    relayed_pairs_evicted_total: 0,
  };
  readonly #max: number;
  /** The pair used longest ago stands first. */
  readonly #pairs = new Set<Pair>();
  /** Pairs of an address, whichever end it is. */
  readonly #byAddress = new Map<string, Pair[]>();
  /** Until when relayed packets are looked at for the session of a pair that is new. */
  #curiousUntil = -Infinity;

  constructor(max = RELAYED_PAIRS_MAX) {
    this.#max = max;
  }

  /** Pairs remembered. */
  get size(): number {
    return this.#pairs.size;
  }

  /** True when a relayed packet may tell the session of a pair; so it is only for a while. */
  isCurious(now: number): boolean {
    return now < this.#curiousUntil;
  }

  /** A handshake packet is relayed. */
  onHandshake(from: SocketAddress, to: SocketAddress, now: number): void {
    const [source, target] = [addressKey(from), addressKey(to)];
    if (source === target) return;
    const pair = this.#find(source, target);
    if (pair === undefined) {
      this.#add({ address: from, key: source }, { address: to, key: target }, now);
      return;
    }
    this.#use(pair, now);
    // Whether it is an answer or the beginning of another session: what was known may no longer hold.
    pair.session = undefined;
    if (source === pair.responder.key) pair.isAnswered = true;
    if (pair.isAnswered) this.#curiousUntil = now + CURIOUS_MS;
  }

  /** A packet with a routing header is relayed: it may be of a session that is not known yet. */
  onRelayed(
    from: SocketAddress,
    to: SocketAddress,
    sessionLow: number,
    sessionHigh: number,
    now: number,
  ): void {
    const pair = this.#find(addressKey(from), addressKey(to));
    if (pair === undefined || !pair.isAnswered || pair.session !== undefined) return;
    pair.session = { low: sessionLow, high: sessionHigh };
    this.#use(pair, now);
  }

  /** Where a packet without a routing header goes; `undefined` when that is not certain. */
  partnerOf(
    from: SocketAddress,
    sessionLow: number,
    sessionHigh: number,
    now: number,
  ): SocketAddress | undefined {
    if (this.#pairs.size === 0) return undefined;
    const key = addressKey(from);
    const pairs = this.#byAddress.get(key);
    if (pairs === undefined) return undefined;
    let unnamed: Pair | undefined;
    let candidates = 0;
    for (const pair of pairs) {
      if (!pair.isAnswered || now - pair.usedAt > RELAYED_PAIR_IDLE_MS) continue;
      const { session } = pair;
      if (session !== undefined && session.low === sessionLow && session.high === sessionHigh) {
        return this.#partner(pair, key, now);
      }
      // Where there is one pair only, it does not matter which of its sessions is known.
      if (session !== undefined && pairs.length > 1) continue;
      candidates += 1;
      unnamed = pair;
    }
    return unnamed === undefined || candidates > 1 ? undefined : this.#partner(unnamed, key, now);
  }

  /** Forgets pairs between which nothing was relayed for long. */
  sweep(now: number): void {
    for (const pair of this.#pairs) {
      if (now - pair.usedAt <= RELAYED_PAIR_IDLE_MS) return;
      this.#remove(pair);
    }
  }

  #partner(pair: Pair, key: string, now: number): SocketAddress {
    this.#use(pair, now);
    return pair.initiator.key === key ? pair.responder.address : pair.initiator.address;
  }

  #find(left: string, right: string): Pair | undefined {
    return this.#byAddress.get(left)?.find(({ initiator, responder }) =>
      initiator.key === right || responder.key === right
    );
  }

  #add(initiator: End, responder: End, now: number): void {
    if (this.#pairs.size >= this.#max) {
      const [oldest] = this.#pairs;
      if (oldest !== undefined) this.#remove(oldest);
      this.counters.relayed_pairs_evicted_total += 1;
    }
    const pair = { initiator, responder, isAnswered: false, session: undefined, usedAt: now };
    this.#pairs.add(pair);
    this.counters.relayed_pairs_total += 1;
    for (const { key } of [initiator, responder]) {
      const list = this.#byAddress.get(key);
      if (list === undefined) this.#byAddress.set(key, [pair]);
      else list.push(pair);
    }
  }

  #use(pair: Pair, now: number): void {
    pair.usedAt = now;
    this.#pairs.delete(pair);
    this.#pairs.add(pair);
  }

  #remove(pair: Pair): void {
    this.#pairs.delete(pair);
    for (const { key } of [pair.initiator, pair.responder]) {
      const left = this.#byAddress.get(key)?.filter((other) => other !== pair) ?? [];
      if (left.length === 0) this.#byAddress.delete(key);
      else this.#byAddress.set(key, left);
    }
  }
}
