/**
 * Items of uploads that overtook their request: streams between nodes of ours are not ordered. They wait for it,
 * a few and not for long.
 */
import { PairMap } from "../../base/mod.ts";
import { Timed, type TimerHeap } from "../engine/timer_heap.ts";
import type { ByteBudget } from "./byte_budget.ts";
import { EARLY_BYTES_MAX, EARLY_ITEMS_MAX, EARLY_MS } from "./limits.ts";

/** Frames of one call. */
class EarlyCall extends Timed {
  readonly frames: Uint8Array[] = [];
  readonly #onDue: () => void;

  constructor(onDue: () => void) {
    super();
    this.#onDue = onDue;
  }

  override onDue(): void {
    this.#onDue();
  }
}

/** What is counted of them. */
export interface EarlyCounters {
  earlyDropped: number;
}

/** Frames of one caller. */
export class EarlyFrames {
  readonly #timers: TimerHeap;
  readonly #counters: EarlyCounters;
  readonly #budget: ByteBudget;
  readonly #calls = new PairMap<EarlyCall>();
  #frames = 0;
  #bytes = 0;

  /** @param budget What all callers may keep together. */
  constructor(timers: TimerHeap, counters: EarlyCounters, budget: ByteBudget) {
    this.#timers = timers;
    this.#counters = counters;
    this.#budget = budget;
  }

  /** Keeps a frame; `bytes` has to be a copy. */
  keep(low: number, high: number, bytes: Uint8Array, now: number): void {
    const isFull = this.#frames >= EARLY_ITEMS_MAX ||
      this.#bytes + bytes.length > EARLY_BYTES_MAX;
    if (isFull || !this.#budget.take(bytes.length)) {
      this.#counters.earlyDropped += 1;
      return;
    }
    let call = this.#calls.get(low, high);
    if (call === undefined) {
      call = new EarlyCall(() => this.#counters.earlyDropped += this.take(low, high).length);
      this.#calls.set(low, high, call);
      this.#timers.add(call, now + EARLY_MS);
    }
    call.frames.push(bytes);
    this.#frames += 1;
    this.#bytes += bytes.length;
  }

  /** Takes the frames of a call. */
  take(low: number, high: number): readonly Uint8Array[] {
    if (this.#frames === 0) return [];
    const call = this.#calls.get(low, high);
    if (call === undefined) return [];
    this.#calls.delete(low, high);
    this.#timers.remove(call);
    let bytes = 0;
    for (const { length } of call.frames) bytes += length;
    this.#bytes -= bytes;
    this.#budget.release(bytes);
    this.#frames -= call.frames.length;
    return call.frames;
  }

  /** Forgets all of them. */
  clear(): void {
    for (const call of this.#calls.values()) this.#timers.remove(call);
    this.#calls.clear();
    this.#budget.release(this.#bytes);
    this.#frames = 0;
    this.#bytes = 0;
  }
}
