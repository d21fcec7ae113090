/**
 * The way of events from calls to the observer (RP-21, promise N9): a bounded buffer, emptied in turns of its own,
 * so that no call waits for an observer. What finds no room is dropped and counted.
 *
 * A change of observer takes hold at once: the former one hears nothing more, the new one hears first what still
 * waited. With the last one goes the worker, and what waited is dropped and counted.
 */
import type { Clock } from "../../base/mod.ts";
import { OBSERVER_BATCH_EVENTS, OBSERVER_EVENTS_MAX } from "./limits.ts";
import { type RpcObserver, toObserverEvent } from "./observer_event.ts";
import type { RpcCallEvent } from "./service_meter.ts";

/** Buffer between calls and the observer. */
export class ObserverQueue {
  readonly #clock: Pick<Clock, "soon">;
  readonly #events = new Array<RpcCallEvent | undefined>(OBSERVER_EVENTS_MAX);
  #first = 0;
  #waiting = 0;
  #observer: RpcObserver | undefined;
  /** Counts changes of the observer: a worker that belongs to an earlier one ends. */
  #generation = 0;
  #isWorking = false;
  /** Events that found no room, or no observer any more. */
  dropped = 0;
  /** Events at which the observer threw. */
  failed = 0;

  constructor(clock: Pick<Clock, "soon">) {
    this.#clock = clock;
  }

  /** True when somebody listens. */
  get isObserved(): boolean {
    return this.#observer !== undefined;
  }

  /** Events that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Sets, replaces, or with `undefined` removes the observer. */
  observe(observer: RpcObserver | undefined): void {
    this.#generation += 1;
    this.#isWorking = false;
    this.#observer = observer;
    if (observer === undefined) {
      this.dropped += this.#waiting;
      this.#events.fill(undefined);
      this.#waiting = 0;
    }
    if (this.#waiting > 0) this.#wake();
  }

  /** Takes an event; never waits, never throws. */
  push(event: RpcCallEvent): void {
    if (this.#observer === undefined) return;
    if (this.#waiting === OBSERVER_EVENTS_MAX) {
      this.dropped += 1;
      return;
    }
    this.#events[(this.#first + this.#waiting) % OBSERVER_EVENTS_MAX] = event;
    this.#waiting += 1;
    this.#wake();
  }

  #wake(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    const generation = this.#generation;
    this.#clock.soon(() => void this.#work(generation));
  }

  async #work(generation: number): Promise<void> {
    for (let told = 0; told < OBSERVER_BATCH_EVENTS; told++) {
      if (generation !== this.#generation) return;
      const event = this.#take();
      if (event === undefined) break;
      try {
        const done = this.#observer?.(toObserverEvent(event));
        if (done !== undefined) await done;
      } catch {
        this.failed += 1;
      }
    }
    if (generation !== this.#generation) return;
    this.#isWorking = false;
    if (this.#waiting > 0) this.#wake();
  }

  #take(): RpcCallEvent | undefined {
    if (this.#waiting === 0) return undefined;
    const event = this.#events[this.#first];
    this.#events[this.#first] = undefined;
    this.#first = (this.#first + 1) % OBSERVER_EVENTS_MAX;
    this.#waiting -= 1;
    return event;
  }
}
