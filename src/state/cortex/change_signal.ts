/** Tells those who look at a state that it has changed: once for all changes of a turn. */
import type { Log } from "../../observe/mod.ts";
import { CortexError } from "./cortex_error.ts";
import { WATCHERS_MAX } from "./limits.ts";

/** The listeners of one state. */
export class ChangeSignal {
  readonly #log: Log;
  readonly #listeners = new Set<() => void>();
  #isScheduled = false;
  #isEnded = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** True when nothing will change any more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /**
   * Calls `onChange` after each burst, and once when it has ended; the result ends it. What it throws is logged.
   *
   * @throws CortexError `queue_full`.
   */
  listen(onChange: () => void): () => void {
    if (this.#listeners.size >= WATCHERS_MAX) {
      throw new CortexError("queue_full", `Cannot watch: ${WATCHERS_MAX} watch already`, {
        next: "end watches that nobody reads",
      });
    }
    // Of its own, so that a function that listens twice is called twice.
    const listener = () => onChange();
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The state has changed, perhaps more is to come in this turn. */
  changed(): void {
    if (this.#isScheduled || this.#isEnded || this.#listeners.size === 0) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isEnded) this.#tell();
    });
  }

  /** Nothing changes any more. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#tell();
    this.#listeners.clear();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#log.error("cortex_listener_failed", { reason });
      }
    }
  }
}
