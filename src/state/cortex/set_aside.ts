/**
 * Events that a fold could not use: counted, the newest kept with their reasons, and one line in the log
 * for those that come together. The fold goes on behind them.
 */
import type { Clock } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { SET_ASIDE_BURST_MS, SET_ASIDE_KEPT_MAX, SET_ASIDE_REASON_MAX } from "./limits.ts";
import type { SetAsideEvent } from "./types.ts";

/** What a fold has set aside. */
export class SetAside {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #kept: SetAsideEvent[] = [];
  #total = 0;
  #unreported: { readonly first: SetAsideEvent; count: number } | undefined;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Newest last. */
  get kept(): readonly SetAsideEvent[] {
    return this.#kept;
  }

  get total(): number {
    return this.#total;
  }

  /** @param count So many events from this one on are gone for the same reason. */
  add(seq: number, dispatch: number | undefined, reason: string, count = 1): void {
    this.#total += count;
    for (let i = Math.max(0, count - SET_ASIDE_KEPT_MAX); i < count; i++) {
      if (this.#kept.length === SET_ASIDE_KEPT_MAX) this.#kept.shift();
      const text = reason.slice(0, SET_ASIDE_REASON_MAX);
      this.#kept.push({ seq: BigInt(seq + i), dispatch, reason: text });
    }
    const newest = this.#kept[this.#kept.length - 1];
    if (newest === undefined) return;
    if (this.#unreported !== undefined) {
      this.#unreported.count += count;
      return;
    }
    this.#unreported = { first: newest, count };
    this.#cancel = this.#clock.after(SET_ASIDE_BURST_MS, () => this.report());
  }

  /** Writes down what was not yet. */
  report(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const burst = this.#unreported;
    this.#unreported = undefined;
    if (burst === undefined) return;
    this.#log.warn("cortex_events_set_aside", {
      count: burst.count,
      seq: burst.first.seq,
      dispatch: burst.first.dispatch,
      reason: burst.first.reason,
      total: this.#total,
    });
  }
}
