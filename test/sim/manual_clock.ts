/** A clock that stands still until a test moves it. */

import type { Clock } from "../../src/base/mod.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
  isCancelled: boolean;
}

/** Time under the control of a test. */
export class ManualClock implements Clock {
  #now = 1_000;
  #order = 0;
  #timers: Timer[] = [];

  now(): number {
    return this.#now;
  }

  wallMs(): number {
    return Math.floor(1_700_000_000_000 + this.#now);
  }

  after(delayMs: number, action: () => void): () => void {
    const timer: Timer = {
      at: this.#now + Math.max(0, delayMs),
      order: this.#order++,
      action,
      isCancelled: false,
    };
    this.#timers.push(timer);
    return () => {
      timer.isCancelled = true;
    };
  }

  soon(action: () => void): void {
    this.after(0, action);
  }

  /** Moves time on, running what falls due in order; promises settle between two timers. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#takeNext(until);
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = until;
    await settle();
  }

  /** Moves time on until `isDone`, at most `limitMs`; false when it never was. */
  async advanceUntil(isDone: () => boolean, limitMs: number, stepMs = 5): Promise<boolean> {
    for (let passed = 0; passed <= limitMs; passed += stepMs) {
      if (isDone()) return true;
      await this.advance(stepMs);
    }
    return isDone();
  }

  #takeNext(until: number): Timer | undefined {
    let best = -1;
    for (let i = 0; i < this.#timers.length; i++) {
      const timer = this.#timers[i] as Timer;
      if (timer.isCancelled || timer.at > until) continue;
      const other = this.#timers[best];
      if (
        other === undefined || timer.at < other.at ||
        (timer.at === other.at && timer.order < other.order)
      ) best = i;
    }
    if (best < 0) {
      this.#timers = this.#timers.filter((timer) => !timer.isCancelled);
      return undefined;
    }
    return this.#timers.splice(best, 1)[0];
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
