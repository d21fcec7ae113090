/** A clock for long simulations: as `ManualClock`, but timers wait in a heap, so thousands are cheap. */

import type { Clock } from "../../src/base/mod.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  /** Emptied when cancelled, so that nothing it held stays alive. */
  action: (() => void) | undefined;
}

/** Timers of one moment; more is a loop that waits for time, which cannot pass meanwhile. */
const TIMERS_AT_ONCE_MAX = 1_000_000;
/** Turns of the microtask queue between two timers: enough for a stream's loop to send again. */
const SETTLE_TURNS = 8;

/** Virtual time that jumps from timer to timer. */
export class HeapClock implements Clock {
  #now = 1_000;
  #order = 0;
  readonly #heap: Timer[] = [];

  now(): number {
    return this.#now;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#now;
  }

  /** Timers waiting, cancelled ones included. */
  get timersWaiting(): number {
    return this.#heap.length;
  }

  after(delayMs: number, action: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, action };
    this.#push(timer);
    return () => {
      timer.action = undefined;
    };
  }

  soon(action: () => void): void {
    this.after(0, action);
  }

  /** Moves time on, running what falls due in order; promises settle between two timers. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    let atOnce = 0;
    await settle();
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > until) break;
      this.#pop();
      if (next.action === undefined) continue;
      atOnce = next.at > this.#now ? 0 : atOnce + 1;
      if (atOnce > TIMERS_AT_ONCE_MAX) throw new Error(`Time stands still at ${this.#now} ms`);
      this.#now = Math.max(this.#now, next.at);
      next.action();
      await settle();
    }
    this.#now = until;
    await settle();
  }

  /** Moves time on in steps until `isDone`, at most `limitMs`; false when it never was. */
  async advanceUntil(isDone: () => boolean, limitMs: number, stepMs = 50): Promise<boolean> {
    for (let passed = 0; passed <= limitMs; passed += stepMs) {
      if (isDone()) return true;
      await this.advance(stepMs);
    }
    return isDone();
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt] as Timer;
      if (isBefore(parent, timer)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let childAt = at * 2 + 1;
      if (childAt >= heap.length) break;
      const right = heap[childAt + 1];
      if (right !== undefined && isBefore(right, heap[childAt] as Timer)) childAt += 1;
      const child = heap[childAt] as Timer;
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order);
}

async function settle(): Promise<void> {
  for (let i = 0; i < SETTLE_TURNS; i++) await Promise.resolve();
}
