/**
 * Whose input is worked on next (`validation.md` 1.1, `decisions.md` 9): everybody in the order of their
 * input, a few milliseconds at a time, and questions about health before everything else.
 *
 * Without it some connections get nothing at all. The runtime lets 128 operations on sockets through each
 * time it polls them, and prefers those that were busy last: with two thousand connections the same few
 * stay busy. So a crowd is served in turns with fewer operations than that, one read and one write for each
 * connection, and between two turns the loop comes to rest, because only then it looks at all sockets: while
 * there is always something to do it does so every 61st time.
 */
import type { Clock } from "../base/mod.ts";
import { TURN_CONNECTIONS_MAX, TURN_MS } from "./limits.ts";

/** What {@linkcode Turns} takes of a clock. */
export type TurnClock = Pick<Clock, "now" | "after">;

/** Deals out the time of one server among its connections. */
export class Turns {
  readonly #clock: TurnClock;
  readonly #urgent = new WorkQueue();
  readonly #waiting = new WorkQueue();
  /** When the current turn has had its time; `undefined` before its first work. */
  #endMs: number | undefined;
  /** Connections served in it. */
  #served = 0;
  #cancel: () => void = () => {};
  readonly #isCrowded: () => boolean;

  /** @param isCrowded True while there are so many connections that their number has to be bounded. */
  constructor(clock: TurnClock, isCrowded: () => boolean) {
    this.#clock = clock;
    this.#isCrowded = isCrowded;
  }

  /** How many wait for their turn. */
  get waitingCount(): number {
    return this.#urgent.length + this.#waiting.length;
  }

  /** True when work would have to wait. */
  get isBusy(): boolean {
    if (this.#endMs === undefined) return false;
    return this.waitingCount > 0 || this.#isFull || this.#clock.now() > this.#endMs;
  }

  /**
   * Runs `work` at once while there is time, or in a later turn. It must not throw, and should be short: a
   * turn ends behind the work that outlasts it.
   */
  enter(work: () => void, isUrgent = false): void {
    if (this.isBusy) {
      (isUrgent ? this.#urgent : this.#waiting).push(work);
      return;
    }
    this.#begin();
    this.#served++;
    work();
  }

  /** Runs what waits, all of it: whoever is still there has to find that its connection is closed. */
  stop(): void {
    this.#cancel();
    this.#endMs = undefined;
    for (const queue of [this.#urgent, this.#waiting]) {
      for (let work = queue.shift(); work !== undefined; work = queue.shift()) work();
    }
  }

  get #isFull(): boolean {
    return this.#served >= TURN_CONNECTIONS_MAX && this.#isCrowded();
  }

  /** Opens a turn if none is open; it ends when the loop has come to rest. */
  #begin(): void {
    if (this.#endMs !== undefined) return;
    this.#endMs = this.#clock.now() + TURN_MS;
    this.#cancel = this.#clock.after(0, () => this.#turn());
  }

  #turn(): void {
    this.#endMs = undefined;
    this.#served = 0;
    if (this.waitingCount === 0) return;
    this.#begin();
    this.#serve(this.#urgent);
    this.#served = 0;
    this.#serve(this.#waiting);
  }

  /** Each queue has time of its own, so that neither can keep the other from being served. */
  #serve(queue: WorkQueue): void {
    const endMs = this.#clock.now() + TURN_MS;
    for (let work = queue.shift(); work !== undefined; work = queue.shift()) {
      work();
      this.#served++;
      if (this.#clock.now() > endMs || this.#isFull) return;
    }
  }
}

/** First in, first out, without moving everything for each. */
class WorkQueue {
  #items: (() => void)[] = [];
  /** What stands before it was taken. */
  #next = 0;

  get length(): number {
    return this.#items.length - this.#next;
  }

  push(work: () => void): void {
    this.#items.push(work);
  }

  shift(): (() => void) | undefined {
    const work = this.#items[this.#next];
    if (work === undefined) return undefined;
    this.#next++;
    if (this.#next * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#next);
      this.#next = 0;
    }
    return work;
  }
}
