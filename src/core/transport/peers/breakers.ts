/**
 * A circuit breaker per peer (promise W13): what is sent to a peer that failed ends at once with an
 * error instead of in the void, but for one trial now and then.
 *
 * It opens when the failure detector says so, or when planes above found the peer silent several times
 * in a row. Liveness itself, heartbeats and probes, is not held back: it is what closes the breaker.
 * Columns by peer slot; a closed breaker costs one look at a byte.
 */

import { BREAKER_FAILURES, BREAKER_PAUSE_MAX_MS, BREAKER_PAUSE_MS } from "../mesh_limits.ts";
import { lengthFor, widen } from "../columns.ts";

/** State of a breaker. */
export type BreakerState = "closed" | "open" | "half-open";

const CLOSED = 0;
/** Opened by reports of silence: any sign of life closes it. */
const DOUBTED = 1;
/** Opened by the failure detector: only that closes it. */
const FAILED = 2;

/** Counters of breakers. */
export interface BreakerCounters {
  breakers_opened_total: number;
  breakers_closed_total: number;
  breaker_trials_total: number;
  drop_breaker_open_total: number;
}

/** Breakers of all peers. */
export class Breakers {
  readonly counters: BreakerCounters = {
    breakers_opened_total: 0,
    breakers_closed_total: 0,
    breaker_trials_total: 0,
    drop_breaker_open_total: 0,
  };
  #state = new Uint8Array(64);
  #failures = new Uint8Array(64);
  #openedAt = new Float64Array(64);
  #failedAt = new Float64Array(64);
  #retryAt = new Float64Array(64);
  #pauseMs = new Float64Array(64);

  /** State of a peer's breaker. */
  state(slot: number, now: number): BreakerState {
    if ((this.#state[slot] ?? CLOSED) === CLOSED) return "closed";
    return now < (this.#retryAt[slot] ?? 0) ? "open" : "half-open";
  }

  /**
   * Asks whether something may be sent to the peer; each time a pause is over, one trial may.
   *
   * @param lastReceivedAt When the peer last sent something authentic.
   */
  allows(slot: number, lastReceivedAt: number, now: number): boolean {
    const state = this.#state[slot] ?? CLOSED;
    if (state === CLOSED) return true;
    if (state === DOUBTED && lastReceivedAt > (this.#openedAt[slot] ?? 0)) {
      this.close(slot);
      return true;
    }
    if (now < (this.#retryAt[slot] ?? 0)) {
      this.counters.drop_breaker_open_total += 1;
      return false;
    }
    this.#pause(slot, now);
    this.counters.breaker_trials_total += 1;
    return true;
  }

  /** Somebody above found the peer silent; several times in a row open the breaker. */
  onSilence(slot: number, lastReceivedAt: number, now: number): void {
    if (slot < 0 || (this.#state[slot] ?? CLOSED) !== CLOSED) return;
    this.#grow(slot);
    const isFirst = lastReceivedAt > (this.#failedAt[slot] ?? 0);
    this.#failedAt[slot] = now;
    this.#failures[slot] = isFirst ? 1 : Math.min((this.#failures[slot] ?? 0) + 1, 255);
    if ((this.#failures[slot] ?? 0) >= BREAKER_FAILURES) this.#open(slot, DOUBTED, now);
  }

  /** The failure detector gave the peer up. */
  onFailed(slot: number, now: number): void {
    if (slot < 0) return;
    this.#grow(slot);
    this.#open(slot, FAILED, now);
  }

  /** The peer is back. */
  close(slot: number): void {
    if ((this.#state[slot] ?? CLOSED) === CLOSED) return;
    this.#state[slot] = CLOSED;
    this.#failures[slot] = 0;
    this.#pauseMs[slot] = 0;
    this.counters.breakers_closed_total += 1;
  }

  #open(slot: number, state: number, now: number): void {
    if ((this.#state[slot] ?? CLOSED) === CLOSED) this.counters.breakers_opened_total += 1;
    this.#state[slot] = state;
    this.#openedAt[slot] = now;
    this.#pauseMs[slot] = 0;
    this.#pause(slot, now);
  }

  /** Pauses double from one to the next. */
  #pause(slot: number, now: number): void {
    const before = this.#pauseMs[slot] ?? 0;
    const pauseMs = before === 0 ? BREAKER_PAUSE_MS : Math.min(before * 2, BREAKER_PAUSE_MAX_MS);
    this.#pauseMs[slot] = pauseMs;
    this.#retryAt[slot] = now + pauseMs;
  }

  #grow(slot: number): void {
    if (slot < this.#state.length) return;
    const length = lengthFor(slot, this.#state.length);
    this.#state = widen(this.#state, new Uint8Array(length));
    this.#failures = widen(this.#failures, new Uint8Array(length));
    this.#openedAt = widen(this.#openedAt, new Float64Array(length));
    this.#failedAt = widen(this.#failedAt, new Float64Array(length));
    this.#retryAt = widen(this.#retryAt, new Float64Array(length));
    this.#pauseMs = widen(this.#pauseMs, new Float64Array(length));
  }
}
