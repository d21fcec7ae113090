/** Calls to several nodes, the first good answer wins (`nrpc.md` 14, promise 64). */
import type { Clock } from "../../base/mod.ts";
import { RpcError } from "../error.ts";
import { CANDIDATES_ASKED_MAX, HEDGE_DELAY_MS, HEDGES } from "./limits.ts";

/** When further nodes are asked. */
export interface HedgeOptions {
  /** Milliseconds between the starts of two attempts; 50 when left out, 0 for all at once. */
  readonly delayMs?: number;
  /** Nodes asked beside the first one, at most 15; 1 when left out. */
  readonly hedges?: number;
  /** Nodes to ask, in this order; those that offer the service when left out. */
  readonly targets?: readonly bigint[];
}

/** One try at one node. */
export type HedgeAttempt<T> = (target: bigint, signal: AbortSignal) => Promise<T>;

/**
 * Asks target after target: number i starts at i times the delay, also when an earlier one failed before. No
 * target is asked twice. The first that answers wins and the others are aborted.
 *
 * @param signal Ends all of them.
 * @throws What the first target, in order, failed with, when all of them fail; RpcError `no_route` without targets.
 */
export function hedge<T>(
  targets: readonly bigint[],
  attempt: HedgeAttempt<T>,
  options: HedgeOptions,
  clock: Pick<Clock, "after">,
  signal?: AbortSignal,
): Promise<T> {
  const { delayMs = HEDGE_DELAY_MS, hedges = HEDGES } = options;
  if (!Number.isInteger(hedges) || hedges < 0 || hedges >= CANDIDATES_ASKED_MAX) {
    throw new RangeError(`Cannot hedge: hedges is ${hedges}, must be 0 to 15`);
  }
  const asked = [...new Set(targets)].slice(0, 1 + hedges);
  if (asked.length === 0) {
    return Promise.reject(
      new RpcError("no_route", "Cannot hedge call: there is no target", {
        next: "name at least one node, or leave the list out to ask those that offer the service",
      }),
    );
  }
  return new Race(asked, attempt, delayMs, clock, signal).result;
}

/** Attempts that run side by side. */
class Race<T> {
  readonly result: Promise<T>;
  readonly #attempt: HedgeAttempt<T>;
  readonly #errors: unknown[] = [];
  readonly #aborters: AbortController[] = [];
  readonly #signal: AbortSignal | undefined;
  #stopTimers: (() => void)[] = [];
  #failed = 0;
  #isOver = false;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(
    targets: readonly bigint[],
    attempt: HedgeAttempt<T>,
    delayMs: number,
    clock: Pick<Clock, "after">,
    signal: AbortSignal | undefined,
  ) {
    this.#attempt = attempt;
    this.#signal = signal;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal?.aborted) {
      this.#finish(() => this.#reject(cancelled(signal.reason)));
      return;
    }
    signal?.addEventListener("abort", this.#onAbort);
    targets.forEach((target, index) => {
      if (index === 0 || delayMs <= 0) this.#start(target, index, targets.length);
      else {
        const start = () => this.#start(target, index, targets.length);
        this.#stopTimers.push(clock.after(index * delayMs, start));
      }
    });
  }

  #start(target: bigint, index: number, count: number): void {
    if (this.#isOver) return;
    const aborter = new AbortController();
    this.#aborters.push(aborter);
    this.#attempt(target, aborter.signal).then(
      (value) => this.#finish(() => this.#resolve(value)),
      (error) => {
        this.#errors[index] = error;
        this.#failed += 1;
        if (this.#failed === count) this.#finish(() => this.#reject(this.#errors[0]));
      },
    );
  }

  readonly #onAbort = () => {
    this.#finish(() => this.#reject(cancelled(this.#signal?.reason)));
  };

  /** Whoever still runs has lost. */
  #finish(settle: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    for (const stop of this.#stopTimers) stop();
    settle();
    for (const aborter of this.#aborters) aborter.abort();
  }
}

function cancelled(cause: unknown): RpcError {
  return new RpcError("cancelled", "Call was cancelled", { cause });
}
