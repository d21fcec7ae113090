/**
 * What one neighbour, and all together, may make this node do per second (promises W2, W5); traffic of
 * strangers shares one set of buckets.
 *
 * Buckets that are full need not be kept: a neighbour has a set of them only while it was busy within the
 * last second or so.
 *
 * A packet above the limit is dropped without an answer and counted. Handshakes have a limiter of their
 * own (`handshake_limiter.ts`), bytes sent to unproven addresses another one (`amplification.ts`).
 */

import { lengthFor, widen } from "../columns.ts";
import { PEERS_MAX } from "../limits.ts";

/** Kinds of traffic that are limited on their own. */
export const TrafficKind = {
  Data: 0,
  Relay: 1,
  Control: 2,
  Announcement: 3,
  Pingwave: 4,
} as const;
/** A value of the table of the same name. */
export type TrafficKind = (typeof TrafficKind)[keyof typeof TrafficKind];

/** Slot of everybody without a slot. */
export const STRANGERS = -1;

/** Rates of one kind; a bucket holds what comes in one second. */
export interface TrafficRate {
  readonly packetsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** One rate for each kind, in the order of {@linkcode TrafficKind}. */
export type RatesByKind = readonly [
  data: TrafficRate,
  relay: TrafficRate,
  control: TrafficRate,
  announcement: TrafficRate,
  pingwave: TrafficRate,
];

/** Rates of one neighbour, of all strangers, of all together. */
export interface TrafficRates {
  readonly perPeer: RatesByKind;
  readonly strangers: RatesByKind;
  readonly total: RatesByKind;
}

/**
 * Far above what a busy neighbour needs, below what hurts. One core opens up to a million small packets or
 * 1.7 GB of large ones per second, so that data is bound only where something is out of hand; it relays
 * about 0.6 million packets of 1,200 B, of which one neighbour may use all but a sixth. A stream with the
 * default window is granted credit every 16 KiB, 43,000 times a second at 700 MB/s: control may be four
 * times that. An announcement costs a signature check of 35 µs when it is new, and half of that when it was
 * here before. The 16,384 nodes that are remembered say theirs every 150 s, 110 a second, which may all come
 * through one neighbour, together with what the neighbour says itself; through all of them come copies, and
 * 2,000 a second are 7 % of a core at the most.
 * Pingwaves are counted that are new: each node sends one per 5 s, and the 16,384 that are remembered
 * 3,300 per second.
 *
 * For strangers this node relays handshakes and slow data: enough to get acquainted through it, too
 * little to make it a cannon.
 */
export const DEFAULT_TRAFFIC_RATES: TrafficRates = {
  perPeer: [
    { packetsPerSecond: 4_000_000, bytesPerSecond: 6_000_000_000 },
    { packetsPerSecond: 500_000, bytesPerSecond: 750_000_000 },
    { packetsPerSecond: 200_000, bytesPerSecond: 200_000_000 },
    { packetsPerSecond: 150, bytesPerSecond: 600_000 },
    { packetsPerSecond: 4_000, bytesPerSecond: 400_000 },
  ],
  strangers: [
    { packetsPerSecond: 10_000, bytesPerSecond: 15_000_000 },
    { packetsPerSecond: 2_000, bytesPerSecond: 3_000_000 },
    { packetsPerSecond: 2_000, bytesPerSecond: 1_000_000 },
    { packetsPerSecond: 20, bytesPerSecond: 200_000 },
    { packetsPerSecond: 1, bytesPerSecond: 100 },
  ],
  total: [
    { packetsPerSecond: 8_000_000, bytesPerSecond: 12_000_000_000 },
    { packetsPerSecond: 600_000, bytesPerSecond: 900_000_000 },
    { packetsPerSecond: 800_000, bytesPerSecond: 800_000_000 },
    { packetsPerSecond: 2_000, bytesPerSecond: 8_000_000 },
    { packetsPerSecond: 8_000, bytesPerSecond: 800_000 },
  ],
};

/** Counters by kind of traffic. */
export interface RateLimitCounters {
  /** Over the neighbour's own limit. */
  readonly refusedByPeer: Float64Array;
  /** Within it, but over the limit of all together. */
  readonly refusedInTotal: Float64Array;
}

const KINDS = 5;
/** Filled no more often than this while something is left; a burst is longer by this at the most. */
const FILL_MS = 10;
/** After so long without use every bucket of a set is full again. */
const FULL_MS = 1_000 + FILL_MS;
/** The total's bucket set and the strangers' come before those of neighbours. */
const TOTAL_SET = 0;
const STRANGERS_SET = 1;
const SETS_RESERVED = 2;
/** A slot without a set; the total's is nobody's. */
const NO_SET = 0;
const INITIAL = 64;

/** Token buckets of all neighbours. */
export class RateLimits {
  readonly counters: RateLimitCounters = {
    refusedByPeer: new Float64Array(KINDS),
    refusedInTotal: new Float64Array(KINDS),
  };
  readonly #rates: TrafficRates;
  readonly #slotsMax: number;
  /** The set a slot has now. */
  #setOf = new Uint16Array(INITIAL);
  /** Whose a set is. */
  #slotOf = new Int32Array(INITIAL).fill(STRANGERS);
  readonly #free: number[] = [];
  #setsUsed = SETS_RESERVED;
  // One bucket set is five kinds; place = 5 × set + kind.
  #packets = new Float64Array(INITIAL * KINDS);
  #bytes = new Float64Array(INITIAL * KINDS);
  #filledAt = new Float64Array(INITIAL * KINDS);

  constructor(
    now: number,
    options: { readonly rates?: TrafficRates; readonly slotsMax?: number } = {},
  ) {
    this.#rates = options.rates ?? DEFAULT_TRAFFIC_RATES;
    this.#slotsMax = options.slotsMax ?? PEERS_MAX;
    for (let set = 0; set < SETS_RESERVED; set++) this.#fillSet(set, now);
  }

  /** Sets in use, the reserved ones included. */
  get size(): number {
    return this.#setsUsed - this.#free.length;
  }

  /** Fills the buckets of a slot that was given to another neighbour. */
  reset(slot: number): void {
    const set = this.#setOf[slot] ?? NO_SET;
    if (set !== NO_SET) this.#release(set);
  }

  /**
   * Books one packet.
   *
   * @param slot The neighbour's, or {@linkcode STRANGERS}; one out of range counts as a stranger.
   * @param bytes Length of the datagram.
   * @returns False when it has to be dropped; nothing is booked then.
   */
  take(slot: number, kind: TrafficKind, bytes: number, now: number): boolean {
    let set = STRANGERS_SET;
    if (slot >= 0 && slot < this.#slotsMax) {
      set = this.#setOf[slot] ?? NO_SET;
      if (set === NO_SET) set = this.#claim(slot, now);
    }
    const own = set * KINDS + kind;
    const total = TOTAL_SET * KINDS + kind;
    const { perPeer, strangers, total: totals } = this.#rates;
    const rate = set === STRANGERS_SET ? strangers[kind] : perPeer[kind];
    if (!this.#has(own, rate, bytes, now)) {
      this.counters.refusedByPeer[kind] = (this.counters.refusedByPeer[kind] ?? 0) + 1;
      return false;
    }
    if (!this.#has(total, totals[kind], bytes, now)) {
      this.counters.refusedInTotal[kind] = (this.counters.refusedInTotal[kind] ?? 0) + 1;
      return false;
    }
    this.#book(own, bytes);
    this.#book(total, bytes);
    return true;
  }

  /** Buckets are filled now and then, or when they seem empty: most packets cost comparisons only. */
  #has(place: number, rate: TrafficRate, bytes: number, now: number): boolean {
    const elapsedMs = Math.max(0, now - (this.#filledAt[place] ?? 0));
    const isEnough = (this.#packets[place] ?? 0) >= 1 && (this.#bytes[place] ?? 0) >= bytes;
    if (isEnough && elapsedMs < FILL_MS) return true;
    const seconds = elapsedMs / 1000;
    const { packetsPerSecond, bytesPerSecond } = rate;
    const packets = Math.min(
      (this.#packets[place] ?? 0) + seconds * packetsPerSecond,
      packetsPerSecond,
    );
    const volume = Math.min((this.#bytes[place] ?? 0) + seconds * bytesPerSecond, bytesPerSecond);
    this.#packets[place] = packets;
    this.#bytes[place] = volume;
    this.#filledAt[place] = now;
    return packets >= 1 && volume >= bytes;
  }

  #book(place: number, bytes: number): void {
    this.#packets[place] = (this.#packets[place] ?? 0) - 1;
    this.#bytes[place] = (this.#bytes[place] ?? 0) - bytes;
  }

  // --- Sets ------------------------------------------------------------------------------------

  #claim(slot: number, now: number): number {
    if (this.#free.length === 0 && this.#setsUsed === this.#slotOf.length) {
      this.#reclaim(now);
      // With hardly any set to spare the next look for idle ones would be due at once.
      if (this.#free.length < this.#slotOf.length / 4) this.#growSets();
    }
    const set = this.#free.pop() ?? this.#setsUsed++;
    this.#fillSet(set, now);
    this.#growSlots(slot);
    this.#setOf[slot] = set;
    this.#slotOf[set] = slot;
    return set;
  }

  /** Takes back the sets whose buckets are full again. */
  #reclaim(now: number): void {
    for (let set = SETS_RESERVED; set < this.#setsUsed; set++) {
      if (this.#slotOf[set] === STRANGERS) continue;
      let isFull = true;
      for (let place = set * KINDS; place < (set + 1) * KINDS; place++) {
        if (now - (this.#filledAt[place] ?? 0) < FULL_MS) isFull = false;
      }
      if (isFull) this.#release(set);
    }
  }

  #release(set: number): void {
    this.#setOf[this.#slotOf[set] ?? 0] = NO_SET;
    this.#slotOf[set] = STRANGERS;
    this.#free.push(set);
  }

  #fillSet(set: number, now: number): void {
    const { perPeer, strangers, total } = this.#rates;
    const rates = set === TOTAL_SET ? total : set === STRANGERS_SET ? strangers : perPeer;
    for (let kind = 0; kind < KINDS; kind++) {
      const rate = rates[kind];
      this.#packets[set * KINDS + kind] = rate?.packetsPerSecond ?? 0;
      this.#bytes[set * KINDS + kind] = rate?.bytesPerSecond ?? 0;
      this.#filledAt[set * KINDS + kind] = now;
    }
  }

  #growSets(): void {
    const length = this.#slotOf.length * 2;
    this.#slotOf = widen(this.#slotOf, new Int32Array(length).fill(STRANGERS));
    this.#packets = widen(this.#packets, new Float64Array(length * KINDS));
    this.#bytes = widen(this.#bytes, new Float64Array(length * KINDS));
    this.#filledAt = widen(this.#filledAt, new Float64Array(length * KINDS));
  }

  #growSlots(slot: number): void {
    if (slot < this.#setOf.length) return;
    const length = lengthFor(slot, this.#setOf.length);
    this.#setOf = widen(this.#setOf, new Uint16Array(length));
  }
}
