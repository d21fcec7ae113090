/**
 * Stops calling what fails (`nrpc.md` 14): closed until so many failures in a row, then open for a while, then half
 * open, where one call at a time is let through to see whether it is better.
 */
import type { Clock } from "../../base/mod.ts";
import { RpcError } from "../error.ts";
import { isRetryable } from "./failures.ts";
import { BREAKER_FAILURES, BREAKER_OPEN_MS, BREAKER_SUCCESSES } from "./limits.ts";

/** Options of {@linkcode CircuitBreaker}. */
export interface CircuitBreakerOptions {
  /** Failures in a row that open it; 5 when left out. */
  readonly failures?: number;
  /** Successful probes in a row that close it; 1 when left out. */
  readonly successes?: number;
  /** Milliseconds that it stays open; 30000 when left out. */
  readonly openMs?: number;
  /** What counts as a failure; {@linkcode isRetryable} when left out. */
  readonly isFailure?: (error: unknown) => boolean;
}

/** Where a breaker stands. */
export type BreakerState = "closed" | "open" | "half_open";

/** What a call through a breaker says about whoever was called. */
type Verdict = "success" | "failure" | "none";

/**
 * One breaker; calls that share their fate share it.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { CircuitBreaker } from "./circuit_breaker.ts";
 * const breaker = new CircuitBreaker(systemClock, { failures: 3 });
 * console.assert(await breaker.run(() => Promise.resolve(1)) === 1);
 * ```
 */
export class CircuitBreaker {
  readonly #clock: Pick<Clock, "now">;
  readonly #failuresMax: number;
  readonly #successesMin: number;
  readonly #openMs: number;
  readonly #isFailure: (error: unknown) => boolean;
  #failures = 0;
  #successes = 0;
  /** When it opened; `undefined` while it is closed. */
  #openedAt: number | undefined;
  /** When the probe that runs began. */
  #probeAt: number | undefined;
  /** Moves on when it opens or closes: what began before says nothing about what is now. */
  #era = 0;
  #refused = 0;
  #opened = 0;

  constructor(clock: Pick<Clock, "now">, options: CircuitBreakerOptions = {}) {
    this.#clock = clock;
    this.#failuresMax = positive("failures", options.failures ?? BREAKER_FAILURES);
    this.#successesMin = positive("successes", options.successes ?? BREAKER_SUCCESSES);
    this.#openMs = options.openMs ?? BREAKER_OPEN_MS;
    this.#isFailure = options.isFailure ?? isRetryable;
  }

  get state(): BreakerState {
    if (this.#openedAt === undefined) return "closed";
    return this.openMsLeft > 0 ? "open" : "half_open";
  }

  /** Milliseconds until a probe is let through; 0 when it is not open. */
  get openMsLeft(): number {
    if (this.#openedAt === undefined) return 0;
    return Math.max(0, this.#openedAt + this.#openMs - this.#clock.now());
  }

  /** Calls it refused, and times it opened. */
  get counters(): Readonly<Record<"refused" | "opened", number>> {
    return { refused: this.#refused, opened: this.#opened };
  }

  /**
   * Makes a call, unless it is open.
   *
   * @throws RpcError `breaker_open`, with the time left, instead of making it; else what the call throws.
   */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const state = this.state;
    const isProbe = state === "half_open";
    if (state === "open" || (isProbe && this.#isProbing)) {
      this.#refused += 1;
      throw this.#openError();
    }
    if (isProbe) this.#beginProbe();
    const era = this.#era;
    let verdict: Verdict = "none";
    try {
      const value = await call();
      verdict = "success";
      return value;
    } catch (error) {
      verdict = this.#judge(error);
      throw error;
    } finally {
      if (era === this.#era) this.#book(verdict, isProbe);
    }
  }

  /** A probe that takes as long as a breaker stays open was dropped. */
  get #isProbing(): boolean {
    return this.#probeAt !== undefined && this.#clock.now() < this.#probeAt + this.#openMs;
  }

  #beginProbe(): void {
    // Whatever an earlier one still comes to is not heard any more.
    if (this.#probeAt !== undefined) this.#era += 1;
    this.#probeAt = this.#clock.now();
  }

  /** A server that answers, whatever it says, is there; a call given up or never made says nothing. */
  #judge(error: unknown): Verdict {
    if (this.#isFailure(error)) return "failure";
    return error instanceof RpcError && error.kind === "server_error" ? "success" : "none";
  }

  #book(verdict: Verdict, isProbe: boolean): void {
    if (isProbe) {
      this.#probeAt = undefined;
      if (verdict !== "success") this.#open();
      else if (++this.#successes >= this.#successesMin) this.#close();
    } else if (verdict === "success") this.#failures = 0;
    else if (verdict === "failure" && ++this.#failures >= this.#failuresMax) this.#open();
  }

  #open(): void {
    this.#openedAt = this.#clock.now();
    this.#successes = 0;
    this.#opened += 1;
    this.#era += 1;
  }

  #close(): void {
    this.#openedAt = undefined;
    this.#failures = 0;
    this.#era += 1;
  }

  #openError(): RpcError {
    const ms = Math.ceil(this.openMsLeft);
    const why = ms > 0 ? `it opens to one call in ${ms} ms` : "one call is trying it now";
    return new RpcError("breaker_open", `Cannot call: the circuit breaker is open, ${why}`, {
      retryAfterMs: ms,
      next: "wait, or call another node",
    });
  }
}

function positive(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(`Cannot make circuit breaker: ${name} is ${value}, must be 1 or more`);
}
