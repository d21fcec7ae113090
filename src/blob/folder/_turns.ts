/** Long work on the event loop in short slices. */
import { setImmediate } from "node:timers";

/** Longest time the event loop waits for one slice, in milliseconds. */
const SLICE_MS = 4;

/** Lets other things run between slices of work. */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  #sliceEndMs = 0;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
    this.#restart();
  }

  /** True when the slice is over: then {@linkcode Turns.next} is to be awaited. */
  get isOver(): boolean {
    return performance.now() >= this.#sliceEndMs;
  }

  /**
   * Ends the slice and begins another.
   *
   * @throws The signal's reason.
   */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(() => resolve()));
    this.#signal?.throwIfAborted();
    this.#restart();
  }

  /** Runs steps of work to their end; each must be short. */
  async run<T>(steps: Generator<void, T, void>): Promise<T> {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if (this.isOver) await this.next();
    }
  }

  #restart(): void {
    this.#sliceEndMs = performance.now() + SLICE_MS;
  }
}
