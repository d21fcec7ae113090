/**
 * When to emit pingwaves beside the heartbeat tick: two rounds after an event, and no more than one
 * event emission per gap, later triggers collapsing into one at its end (`wire.md` 10.4).
 */

import type { Clock } from "../../../base/mod.ts";
import {
  PINGWAVE_DEBOUNCE_MS,
  PINGWAVE_EVENT_GAP_MS,
  PINGWAVE_SECOND_ROUND_MS,
} from "../limits.ts";

/** Schedules event pingwaves. */
export class PingwaveSchedule {
  readonly #clock: Clock;
  readonly #emit: () => void;
  #lastAt = -Infinity;
  #cancelFirst: (() => void) | undefined;
  #cancelSecond: (() => void) | undefined;
  #cancelLater: (() => void) | undefined;

  constructor(clock: Clock, emit: () => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Something happened that others should learn of. */
  trigger(): void {
    if (this.#cancelFirst !== undefined) return;
    const waitMs = Math.max(0, this.#lastAt + PINGWAVE_EVENT_GAP_MS - this.#clock.now());
    this.#cancelFirst = this.#clock.after(waitMs, () => {
      this.#cancelFirst = undefined;
      this.#lastAt = this.#clock.now();
      this.#cancelSecond?.();
      this.#cancelSecond = this.#clock.after(PINGWAVE_SECOND_ROUND_MS, () => {
        this.#cancelSecond = undefined;
        this.#emit();
      });
      this.#emit();
    });
  }

  /** What this node says of itself changed; changes within the debounce time are told at once. */
  triggerLater(): void {
    this.#cancelLater?.();
    this.#cancelLater = this.#clock.after(PINGWAVE_DEBOUNCE_MS, () => {
      this.#cancelLater = undefined;
      this.trigger();
    });
  }

  /** True when the emission going on will be followed by a second one. */
  get isSecondDue(): boolean {
    return this.#cancelSecond !== undefined;
  }

  /** Cancels what is scheduled. */
  stop(): void {
    this.#cancelLater?.();
    this.#cancelFirst?.();
    this.#cancelSecond?.();
  }
}
