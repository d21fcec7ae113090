/** Long work in slices, so that nobody waits for it. */
import type { Clock } from "../../../base/mod.ts";
import { SLICE_MS, SLICE_PARTS_MIN } from "./limits.ts";

/** Lets others run when work has gone on for a few milliseconds. */
export class Slices {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #startMs: number;
  #parts = 0;

  /** @param signal Ends the work at the next rest. */
  constructor(clock: Clock, signal?: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    this.#startMs = clock.now();
  }

  /**
   * True when it is time to {@linkcode rest}; asked after each part of the work. Little work never rests, so that it
   * ends also under a clock that jumps and then stands still.
   */
  get isOver(): boolean {
    this.#parts += 1;
    return this.#parts >= SLICE_PARTS_MIN && this.#clock.now() - this.#startMs >= SLICE_MS;
  }

  /**
   * Lets others run; goes on after them.
   *
   * @throws The signal's reason.
   */
  async rest(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    this.#signal?.throwIfAborted();
    this.#startMs = this.#clock.now();
    this.#parts = 0;
  }
}
