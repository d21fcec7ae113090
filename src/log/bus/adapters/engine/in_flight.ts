/** Writes that have begun, so that an adapter which stops can let them end. */
import type { Clock } from "../../../../base/mod.ts";
import { withinDeadline } from "./deadline.ts";

/** A set of running writes. */
export class InFlight {
  readonly #running = new Set<Promise<unknown>>();

  /** Runs one. */
  run<Value>(work: Promise<Value>): Promise<Value> {
    this.#running.add(work);
    const forget = () => void this.#running.delete(work);
    work.then(forget, forget);
    return work;
  }

  /** Waits until none runs, at most so long. */
  async drain(clock: Clock, timeoutMs: number): Promise<void> {
    const all = Promise.allSettled(this.#running);
    await withinDeadline(all, { clock, timeoutMs, action: "Cannot wait for writes" }).catch(
      () => {},
    );
  }
}
