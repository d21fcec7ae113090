/**
 * Reads a log from a place on: first what is there, then what comes. It does so in slices, as large as what is done
 * with the events allows, so that a long log leaves room for other work.
 */
import type { Clock } from "../../base/mod.ts";
import type { RecordRun, RedexFile, RedexTail, TailItem } from "../../log/mod.ts";
import { SLICE_EVENTS_MAX, SLICE_EVENTS_MIN, SLICE_MS_MAX } from "./limits.ts";

/** Takes what the log has, in order; false when no more is wanted. */
export interface LogTaker {
  items(items: readonly TailItem[]): boolean;
  run(run: RecordRun): boolean;
}

/** A reader of one log. */
export class LogFollower {
  readonly #clock: Clock;
  readonly #tail: RedexTail;
  readonly #taker: LogTaker;
  #sliceEvents = SLICE_EVENTS_MIN;
  /** Milliseconds of work since others had their turn. */
  #workedMs = 0;

  constructor(clock: Clock, file: RedexFile, from: bigint, taker: LogTaker) {
    this.#clock = clock;
    this.#tail = file.tail({ from });
    this.#taker = taker;
  }

  /**
   * Reads what is below `until`.
   *
   * @throws The log's error, or the signal's reason.
   */
  async catchUp(until: bigint, signal?: AbortSignal): Promise<void> {
    while (this.#tail.position < until) {
      signal?.throwIfAborted();
      const started = this.#clock.now();
      const run = this.#tail.takeRun?.(this.#sliceEvents);
      if (run !== undefined) {
        if (!this.#taker.run(run)) return;
        await this.#giveWay(run.count, started);
        continue;
      }
      const items = this.#tail.takeNow(this.#sliceEvents);
      if (items.length === 0 || !this.#taker.items(items)) return;
      await this.#giveWay(items.length, started);
    }
  }

  /**
   * Goes on with what comes; resolves when no more is wanted or the log was closed.
   *
   * @throws The log's error.
   */
  async follow(): Promise<void> {
    try {
      for (;;) {
        const items = await this.#tail.take(this.#sliceEvents);
        if (items === undefined) return;
        const started = this.#clock.now();
        if (!this.#taker.items(items)) return;
        await this.#giveWay(items.length, started);
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#tail.close();
  }

  async #giveWay(events: number, startedMs: number): Promise<void> {
    const tookMs = this.#clock.now() - startedMs;
    this.#workedMs += tookMs;
    if (tookMs > SLICE_MS_MAX) {
      this.#sliceEvents = Math.max(SLICE_EVENTS_MIN, this.#sliceEvents >> 1);
    } else if (tookMs < SLICE_MS_MAX / 4 && events === this.#sliceEvents) {
      this.#sliceEvents = Math.min(SLICE_EVENTS_MAX, this.#sliceEvents << 1);
    }
    if (this.#workedMs < SLICE_MS_MAX) return;
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    this.#workedMs = 0;
  }
}
