/**
 * A circuit per endpoint (`compute.md` 10): failures in a row open it, after a while one probe is let
 * through, and the probe decides. Pure: the time comes in with every call.
 */
import { CIRCUIT_FAILURES } from "./limits.ts";

/** What a circuit does with calls. */
export type CircuitState = "closed" | "open" | "half_open";

/** Keeps calls from an endpoint that fails. */
export class Circuit {
  #failures = 0;
  /** When it opened, or when its last probe set out; `undefined` while it is closed. */
  #since: number | undefined;
  #isProbing = false;

  /** @param recoveryMs Time from opening, and from a probe that nothing is heard of, to the next probe. */
  constructor(readonly recoveryMs: number) {}

  /** When it next lets a call through; `undefined` while it lets all through. */
  get opensUntil(): number | undefined {
    return this.#since === undefined ? undefined : this.#since + this.recoveryMs;
  }

  /** What it does with a call now. */
  state(now: number): CircuitState {
    const until = this.opensUntil;
    if (until === undefined) return "closed";
    return now < until ? "open" : "half_open";
  }

  /**
   * A call sets out; only where the state is not `open`.
   *
   * @returns True when the call is a probe, whose end decides.
   */
  depart(now: number): boolean {
    if (this.#since === undefined) return false;
    // Nobody else goes until this one is back, or lost for as long again.
    this.#since = now;
    this.#isProbing = true;
    return true;
  }

  /** A call went well. True when that closed the circuit. */
  succeed(isProbe: boolean): boolean {
    if (this.#since === undefined) {
      this.#failures = 0;
      return false;
    }
    // A call from before it opened says nothing about now.
    if (!isProbe || !this.#isProbing) return false;
    this.#since = undefined;
    this.#failures = 0;
    this.#isProbing = false;
    return true;
  }

  /** A call failed. True when that opened the circuit, or keeps it open for longer. */
  fail(isProbe: boolean, now: number): boolean {
    if (this.#since !== undefined) {
      if (!isProbe || !this.#isProbing) return false;
    } else {
      this.#failures += 1;
      if (this.#failures < CIRCUIT_FAILURES) return false;
    }
    this.#since = now;
    this.#isProbing = false;
    return true;
  }
}
