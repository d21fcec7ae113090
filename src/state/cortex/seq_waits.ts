/**
 * Those who wait until a fold has come to an event (`storage.md` 5): each has a deadline, all together
 * have a limit, and a fold that stops tells them so.
 */
import type { Clock } from "../../base/mod.ts";
import { CortexError } from "./cortex_error.ts";
import type { CortexMetrics } from "./cortex_metrics.ts";
import { TIMER_MS_MAX } from "./limits.ts";
import type { WaitBudget } from "./wait_budget.ts";

const NS_PER_MS = 1e6;

/** What waits need to know of a fold. */
export interface WaitedFold {
  readonly applied: () => number | undefined;
  /** True when nothing will be folded any more. */
  readonly isStopped: () => boolean;
}

/** What {@linkcode SeqWaits} needs. */
export interface SeqWaitsDeps {
  readonly clock: Clock;
  readonly metrics: CortexMetrics;
  readonly fold: WaitedFold;
  /** Places of the process, taken first, and of this fold. */
  readonly budgets: readonly WaitBudget[];
}

interface Waiter {
  readonly seq: number;
  readonly end: (error?: unknown) => void;
}

/** The waiters of one fold. */
export class SeqWaits {
  readonly #deps: SeqWaitsDeps;
  readonly #waiters = new Set<Waiter>();
  /** Nobody waits for anything below. */
  #lowest = Infinity;

  constructor(deps: SeqWaitsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Resolves when `seq` is applied.
   *
   * @param timeoutMs 0 looks once; Infinity waits for ever.
   * @throws CortexError `timeout`, `queue_full`, `stopped`; the signal's reason; RangeError.
   */
  async wait(seq: bigint, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const { metrics, fold } = this.#deps;
    if (Number.isNaN(timeoutMs)) {
      throw new RangeError("Cannot wait: timeoutMs is NaN, must be a number of milliseconds");
    }
    signal?.throwIfAborted();
    metrics.waitsTotal += 1;
    // Beyond 2^53 it is not exact, and above whatever was applied.
    const wanted = Number(seq);
    if (wanted <= (fold.applied() ?? -1)) return;
    if (fold.isStopped()) throw this.#stoppedError();
    if (timeoutMs <= 0) throw this.#timeoutError();
    this.#takePlaces();
    try {
      await this.#untilApplied(wanted, timeoutMs, signal);
    } finally {
      for (const budget of this.#deps.budgets) budget.giveBack();
    }
  }

  /** Tells those whose event is there; all of them when the fold has stopped. */
  settle(): void {
    if (this.#waiters.size === 0) return;
    const applied = this.#deps.fold.applied() ?? -1;
    const isStopped = this.#deps.fold.isStopped();
    if (applied < this.#lowest && !isStopped) return;
    this.#lowest = Infinity;
    for (const waiter of this.#waiters) {
      if (waiter.seq <= applied) waiter.end();
      else if (isStopped) waiter.end(this.#stoppedError());
      else if (waiter.seq < this.#lowest) this.#lowest = waiter.seq;
    }
  }

  #takePlaces(): void {
    const taken: WaitBudget[] = [];
    for (const budget of this.#deps.budgets) {
      if (budget.tryTake()) {
        taken.push(budget);
        continue;
      }
      for (const earlier of taken) earlier.giveBack();
      this.#deps.metrics.waitQueueFullTotal += 1;
      throw new CortexError("queue_full", "read-your-writes wait queue is full");
    }
  }

  #untilApplied(seq: number, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const { clock, metrics } = this.#deps;
    const started = clock.now();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let cancel = () => {};
    const waiter: Waiter = {
      seq,
      end: (error) => {
        cancel();
        signal?.removeEventListener("abort", onAbort);
        this.#waiters.delete(waiter);
        metrics.waitNs += (clock.now() - started) * NS_PER_MS;
        if (error === undefined) resolve();
        else reject(error);
      },
    };
    const onAbort = () => waiter.end(signal?.reason);
    if (timeoutMs !== Infinity) {
      cancel = clock.after(
        Math.min(timeoutMs, TIMER_MS_MAX),
        () => waiter.end(this.#timeoutError()),
      );
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#waiters.add(waiter);
    this.#lowest = Math.min(this.#lowest, seq);
    return promise;
  }

  #timeoutError(): CortexError {
    this.#deps.metrics.waitTimeoutsTotal += 1;
    return new CortexError("timeout", "read-your-writes wait timed out");
  }

  #stoppedError(): CortexError {
    const through = this.#deps.fold.applied() ?? "nothing";
    return new CortexError(
      "stopped",
      `fold task stopped before reaching token seq (applied through ${through})`,
    );
  }
}
