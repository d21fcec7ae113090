/** So many calls of an adapter at work at once; others wait in the order they came, up to a number. */
import { BlobAdapterError } from "./adapter.ts";

/** Lets calls in. */
export class CallGate {
  readonly #activeMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #active = 0;

  constructor(limits: { readonly activeMax: number; readonly waitingMax: number }) {
    this.#activeMax = limits.activeMax;
    this.#waitingMax = limits.waitingMax;
  }

  /**
   * Waits for a place; the result gives it back, once.
   *
   * @throws BlobAdapterError `limit` when too many wait.
   */
  async enter(action: string): Promise<() => void> {
    if (this.#waiting.length >= this.#waitingMax) {
      throw new BlobAdapterError("limit", `${action}: ${this.#waitingMax} calls wait already`);
    }
    if (this.#active >= this.#activeMax) {
      await new Promise<void>((go) => this.#waiting.push(go));
    } else this.#active += 1;
    return () => {
      // The place goes to who waited longest.
      const next = this.#waiting.shift();
      if (next === undefined) this.#active -= 1;
      else next();
    };
  }

  /** Runs a call in a place. */
  async run<T>(action: string, work: () => Promise<T>): Promise<T> {
    const leave = await this.enter(action);
    try {
      return await work();
    } finally {
      leave();
    }
  }
}
