/** How late the event loop comes to what is due: a timer that notes by how much it missed its time. */
import { type Clock, repeat } from "../base/mod.ts";
import type { MetricFamily } from "./exposition.ts";

/** Time between two looks. */
const LOOK_MS = 250;

/** Looks that the largest lag is taken of: those of a minute. */
const LOOKS = 60_000 / LOOK_MS;

/** Watches the event loop. */
export class LoopLag {
  readonly #clock: Clock;
  /** Milliseconds, the oldest overwritten first. */
  readonly #lags = new Float64Array(LOOKS);
  #at = 0;
  #stop: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins; idempotent. */
  start(): void {
    if (this.#stop !== undefined) return;
    let lookedAt = this.#clock.now();
    this.#stop = repeat(this.#clock, LOOK_MS, () => {
      const now = this.#clock.now();
      this.#at = (this.#at + 1) % LOOKS;
      this.#lags[this.#at] = Math.max(0, now - lookedAt - LOOK_MS);
      lookedAt = now;
    });
  }

  /** Ends; idempotent. */
  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Lag at the last look, in milliseconds. */
  get lastMs(): number {
    return this.#lags[this.#at] ?? 0;
  }

  /** Largest lag of the last minute, in milliseconds. */
  get largestMs(): number {
    return Math.max(...this.#lags);
  }

  /** Both for an exposition. */
  families(): readonly MetricFamily[] {
    return [
      {
        name: "net_process_loop_lag_seconds",
        type: "gauge",
        help: "How late the event loop came to a timer last.",
        samples: [{ value: this.lastMs / 1000 }],
      },
      {
        name: "net_process_loop_lag_max_seconds",
        type: "gauge",
        help: "How late it came at most in the last minute.",
        samples: [{ value: this.largestMs / 1000 }],
      },
    ];
  }
}
