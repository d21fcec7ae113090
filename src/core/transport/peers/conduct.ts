/**
 * How neighbours behave, as this node sees it (promise W9): heartbeats in time, floods, spent
 * time-to-lives, what could not be read. Columns by peer slot; nothing is allocated per observation.
 *
 * What comes in the clear may be forged under a neighbour's address. It is counted and shown, but only
 * what was authentic says how far a neighbour is trusted with others' packets.
 */

import { lengthFor, widen } from "../columns.ts";
import type { PeerConduct } from "../types.ts";

/** What is observed beside heartbeats. */
export const Misconduct = {
  /** Packets above a limit. */
  Flood: 0,
  /** Packets to be relayed whose time-to-live was used up. */
  SpentTtl: 1,
  /** Packets to be relayed that were here before, or claim to be from this node. */
  Loop: 2,
  /** Packets and pingwaves that could not be read, in the clear. */
  Malformed: 3,
  /** Authentic packets whose content could not be read. */
  MalformedAuthentic: 4,
} as const;
/** A value of the table of the same name. */
export type Misconduct = (typeof Misconduct)[keyof typeof Misconduct];

const KINDS = 5;
/** Heartbeats remembered: then all is halved, so that an old sin weighs less and less. */
const HEARTBEATS_REMEMBERED = 64;
/** An authentic packet that makes no sense costs as much trust as two late heartbeats of sixteen. */
const MALFORMED_COST = 8;
/** Below this a neighbour is avoided as next hop. */
const POOR_BELOW = 50;
const SLOTS_INITIAL = 64;

/** Conduct of all neighbours. */
export class ConductTable {
  readonly #lateAfterMs: number;
  /** Two columns a slot: in time, late. */
  #beats = new Uint16Array(2 * SLOTS_INITIAL);
  // These grow with misconduct only: most neighbours behave.
  #observed = new Uint32Array(0);
  /** Authentic nonsense that still counts for the score. */
  #nonsense = new Uint16Array(0);

  /** @param lateAfterMs A heartbeat is late when the one before it is longer ago: a session timeout. */
  constructor(lateAfterMs: number) {
    this.#lateAfterMs = lateAfterMs;
  }

  /** A heartbeat came, so long after the one before it. */
  onHeartbeat(slot: number, gapMs: number): void {
    if (slot < 0) return;
    this.#growBeats(slot);
    const place = 2 * slot + (gapMs > this.#lateAfterMs ? 1 : 0);
    this.#beats[place] = (this.#beats[place] ?? 0) + 1;
    if (this.#beatCount(slot) < HEARTBEATS_REMEMBERED) return;
    this.#beats[2 * slot] = (this.#beats[2 * slot] ?? 0) >>> 1;
    this.#beats[2 * slot + 1] = (this.#beats[2 * slot + 1] ?? 0) >>> 1;
    if (slot < this.#nonsense.length) {
      this.#nonsense[slot] = (this.#nonsense[slot] ?? 0) >>> 1;
    }
  }

  /** Notes misconduct of a neighbour; strangers, with a slot below 0, have none. */
  note(slot: number, kind: Misconduct): void {
    if (slot < 0) return;
    this.#growObserved(slot);
    const place = KINDS * slot + kind;
    this.#observed[place] = (this.#observed[place] ?? 0) + 1;
    if (kind !== Misconduct.MalformedAuthentic) return;
    this.#nonsense[slot] = Math.min((this.#nonsense[slot] ?? 0) + 1, 0xffff);
  }

  /** 100 for a neighbour that nothing speaks against, down to 0. */
  score(slot: number): number {
    const beats = this.#beatCount(slot);
    const late = this.#beats[2 * slot + 1] ?? 0;
    // A few heartbeats say little: the share is taken of sixteen at least.
    const punctual = 100 - 100 * late / Math.max(beats, 16);
    return Math.max(0, punctual - MALFORMED_COST * (this.#nonsense[slot] ?? 0));
  }

  /** True when others should be preferred as next hop. */
  isPoor(slot: number): boolean {
    return this.score(slot) < POOR_BELOW;
  }

  /** What is known of one neighbour. */
  describe(slot: number): PeerConduct {
    const observed = (kind: Misconduct) => this.#observed[KINDS * slot + kind] ?? 0;
    return {
      score: Math.round(this.score(slot)),
      heartbeatsInTime: this.#beats[2 * slot] ?? 0,
      heartbeatsLate: this.#beats[2 * slot + 1] ?? 0,
      floods: observed(Misconduct.Flood),
      spentTtls: observed(Misconduct.SpentTtl),
      loops: observed(Misconduct.Loop),
      malformed: observed(Misconduct.Malformed) + observed(Misconduct.MalformedAuthentic),
    };
  }

  /** Forgets everything about a slot. */
  reset(slot: number): void {
    this.#beats.fill(0, 2 * slot, 2 * slot + 2);
    this.#observed.fill(0, KINDS * slot, KINDS * (slot + 1));
    this.#nonsense.fill(0, slot, slot + 1);
  }

  #beatCount(slot: number): number {
    return (this.#beats[2 * slot] ?? 0) + (this.#beats[2 * slot + 1] ?? 0);
  }

  #growBeats(slot: number): void {
    if (2 * slot < this.#beats.length) return;
    const length = lengthFor(slot, this.#beats.length / 2);
    this.#beats = widen(this.#beats, new Uint16Array(2 * length));
  }

  #growObserved(slot: number): void {
    if (slot < this.#nonsense.length) return;
    const length = lengthFor(slot, Math.max(this.#nonsense.length, SLOTS_INITIAL));
    this.#observed = widen(this.#observed, new Uint32Array(KINDS * length));
    this.#nonsense = widen(this.#nonsense, new Uint16Array(length));
  }
}
