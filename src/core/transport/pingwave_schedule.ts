/**
 * When to emit pingwaves beside the heartbeat tick: two rounds after an event, and no more than one
 * event emission per gap, later triggers collapsing into one at its end (`wire.md` 10.4).
 */

import type { Clock } from "../../base/mod.ts";
import { PINGWAVE_EVENT_GAP_MS, PINGWAVE_SECOND_ROUND_MS } from "./limits.ts";

/** Schedules event pingwaves. */
export class PingwaveSchedule {
  readonly #clock: Clock;
  readonly #emit: () => void;
  #lastAt = -Infinity;
  #cancelFirst: (() => void) | undefined;
  #cancelSecond: (() => void) | undefined;

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
      this.#emit();
      this.#cancelSecond?.();
      this.#cancelSecond = this.#clock.after(PINGWAVE_SECOND_ROUND_MS, this.#emit);
    });
  }

  /** Cancels what is scheduled. */
  stop(): void {
    this.#cancelFirst?.();
    this.#cancelSecond?.();
  }
}
