/**
 * Reads a log from a place on: first what is there, then what comes. It does so in slices, so that a long
 * log leaves room for other work.
 */
import type { Clock } from "../../base/mod.ts";
import type { RedexFile, RedexTail, TailItem } from "../../log/mod.ts";
import { SLICE_EVENTS_MAX, SLICE_MS_MAX } from "./limits.ts";

/** Takes items in order; false when no more are wanted. */
export type TakeItems = (items: readonly TailItem[]) => boolean;

/** A reader of one log. */
export class LogFollower {
  readonly #clock: Clock;
  readonly #tail: RedexTail;
  readonly #take: TakeItems;
  /** Milliseconds of work since others had their turn. */
  #workedMs = 0;

  constructor(clock: Clock, file: RedexFile, from: bigint, take: TakeItems) {
    this.#clock = clock;
    this.#tail = file.tail({ from });
    this.#take = take;
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
      const items = this.#tail.takeNow(SLICE_EVENTS_MAX);
      if (items.length === 0 || !this.#take(items)) return;
      await this.#giveWay(started);
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
        const items = await this.#tail.take(SLICE_EVENTS_MAX);
        if (items === undefined) return;
        const started = this.#clock.now();
        if (!this.#take(items)) return;
        await this.#giveWay(started);
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#tail.close();
  }

  async #giveWay(startedMs: number): Promise<void> {
    this.#workedMs += this.#clock.now() - startedMs;
    if (this.#workedMs < SLICE_MS_MAX) return;
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    this.#workedMs = 0;
  }
}
