/** Numbers of calls: random, never 0 (`nrpc.md` 5), drawn from a pool so that a call costs no system call. */
import type { RandomBytes } from "../../base/mod.ts";
import { CALL_ID_POOL_BYTES } from "./limits.ts";

/** Draws call ids as two halves. */
export class CallIds {
  low = 0;
  high = 0;
  readonly #random: RandomBytes;
  #pool = new Uint32Array(0);
  #at = 0;

  constructor(random: RandomBytes) {
    this.#random = random;
  }

  /** Puts the next id into `low` and `high`. */
  next(): void {
    do {
      if (this.#at === this.#pool.length) {
        this.#pool = new Uint32Array(this.#random(CALL_ID_POOL_BYTES).buffer);
        this.#at = 0;
      }
      this.low = this.#pool[this.#at++] as number;
      this.high = this.#pool[this.#at++] as number;
    } while (this.low === 0 && this.high === 0);
  }
}
