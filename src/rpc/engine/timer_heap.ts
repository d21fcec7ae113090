/**
 * One wake-up for many deadlines. Calls mostly have the same timeout and end long before it, so adding at the
 * end and taking out of the middle are what has to be cheap: an indexed heap, and one timer of the clock.
 */
import type { Clock } from "../../base/mod.ts";

/** Longest that one timer of the clock is asked for; later deadlines are looked at again then. */
const TIMER_MS_MAX = 3_600_000;

/** Something that falls due. */
export abstract class Timed {
  /** Time of the clock at which it falls due. */
  dueAt = 0;
  /** Place in the heap; -1 when it waits for nothing. */
  heapAt = -1;

  /** It is due; it has left the heap before. */
  abstract onDue(): void;
}

/** Deadlines, soonest first. */
export class TimerHeap {
  readonly #clock: Clock;
  readonly #heap: Timed[] = [];
  #armedAt = Infinity;
  #disarm: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Deadlines that wait. */
  get size(): number {
    return this.#heap.length;
  }

  /** Wakes `entry` at a time of the clock; it must not wait already. */
  add(entry: Timed, dueAt: number): void {
    entry.dueAt = dueAt;
    this.#heap.push(entry);
    this.#rise(entry, this.#heap.length - 1);
    // A timer that is set too early costs one look; one per call would cost much more.
    if (dueAt < this.#armedAt) this.#arm(dueAt);
  }

  /** Forgets a deadline; nothing happens when it does not wait. */
  remove(entry: Timed): void {
    const at = entry.heapAt;
    if (at < 0) return;
    entry.heapAt = -1;
    const last = this.#heap.pop() as Timed;
    if (last === entry) return;
    this.#sink(last, at);
    if (last.heapAt === at) this.#rise(last, at);
  }

  /** Wakes nobody any more. */
  stop(): void {
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedAt = Infinity;
    for (const entry of this.#heap) entry.heapAt = -1;
    this.#heap.length = 0;
  }

  #arm(dueAt: number): void {
    this.#disarm?.();
    this.#armedAt = dueAt;
    const delayMs = Math.ceil(dueAt - this.#clock.now());
    this.#disarm = this.#clock.after(
      Math.min(TIMER_MS_MAX, Math.max(0, delayMs)),
      () => this.#onTimer(),
    );
  }

  #onTimer(): void {
    this.#disarm = undefined;
    this.#armedAt = Infinity;
    const now = this.#clock.now();
    try {
      for (let first = this.#heap[0]; first !== undefined && first.dueAt <= now;) {
        this.remove(first);
        first.onDue();
        first = this.#heap[0];
      }
    } finally {
      // One that throws must not keep the others waiting for ever.
      const first = this.#heap[0];
      if (first !== undefined && first.dueAt < this.#armedAt) this.#arm(first.dueAt);
    }
  }

  #rise(entry: Timed, from: number): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt] as Timed;
      if (parent.dueAt <= entry.dueAt) break;
      heap[at] = parent;
      parent.heapAt = at;
      at = parentAt;
    }
    heap[at] = entry;
    entry.heapAt = at;
  }

  #sink(entry: Timed, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let childAt = at * 2 + 1;
      if (childAt >= heap.length) break;
      const right = heap[childAt + 1];
      if (right !== undefined && right.dueAt < (heap[childAt] as Timed).dueAt) childAt += 1;
      const child = heap[childAt] as Timed;
      if (child.dueAt >= entry.dueAt) break;
      heap[at] = child;
      child.heapAt = at;
      at = childAt;
    }
    heap[at] = entry;
    entry.heapAt = at;
  }
}
