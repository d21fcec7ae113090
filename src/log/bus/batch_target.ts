/** How many events a batch waits for: few when little comes, many when much does (`storage.md` 2.3). */
import type { BatchConfig } from "./types.ts";

const RECOMPUTE_MS = 10;
const SAMPLES_MAX = 1_024;
/** A batch should gather what comes in five milliseconds. */
const BATCHES_PER_SECOND = 200;
/** How much of the old size stays at each step. */
const INERTIA = 3;

/** The size that batches of one shard aim at. */
export class BatchTarget {
  readonly #config: BatchConfig;
  /** Moments and how many events had come by then. */
  readonly #samples: { readonly at: number; readonly total: number }[] = [];
  #size: number;

  constructor(config: BatchConfig) {
    this.#config = config;
    this.#size = config.isAdaptive ? config.eventsMin : config.eventsMax;
  }

  get size(): number {
    return this.#size;
  }

  /** Events per second over the window. */
  get velocity(): number {
    const first = this.#samples[0];
    const last = this.#samples[this.#samples.length - 1];
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return (last.total - first.total) * 1_000 / (last.at - first.at);
  }

  /** Learns how many events there have been until now; does something every ten milliseconds only. */
  note(nowMs: number, total: number): void {
    const { isAdaptive, eventsMin, eventsMax, velocityWindowMs } = this.#config;
    if (!isAdaptive) return;
    const last = this.#samples[this.#samples.length - 1];
    if (last !== undefined && nowMs - last.at <= RECOMPUTE_MS) return;
    this.#samples.push({ at: nowMs, total });
    while (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    // One sample from before the window stays as its beginning, unless it is far older.
    while ((this.#samples[1]?.at ?? Infinity) <= nowMs - velocityWindowMs) this.#samples.shift();
    if (this.#samples.length < 2) return;
    const wanted = clamp(this.velocity / BATCHES_PER_SECOND, eventsMin, eventsMax);
    const size = (INERTIA * this.#size + wanted) / (INERTIA + 1);
    this.#size = clamp(Math.round(size), eventsMin, eventsMax);
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
