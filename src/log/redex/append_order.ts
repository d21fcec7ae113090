/**
 * Appends in an order that was fixed before the events were ready (`storage.md` 4, ordered variants).
 *
 * Whoever wants to write takes a turn, does what takes time, and then appends: the events come into the log
 * in the order of the turns, however long each took. A turn that isn't used must be given up, or all behind
 * it wait; `using` and a signal see to that.
 */
import { RedexError } from "./error.ts";
import { TURNS_MAX } from "./limits.ts";
import type { RedexFile } from "./types.ts";

/** A place in the order of appends. */
export interface AppendTurn extends Disposable {
  /**
   * Appends when all turns before have appended or were given up; the first number, or `undefined` for an empty batch.
   * Once only. Payloads must not change until it resolves.
   *
   * @throws RedexError of the append, or `closed` when the turn was given up.
   */
  append(payloads: readonly Uint8Array[]): Promise<bigint | undefined>;
  /** Gives the turn up, if it was not used. */
  cancel(): void;
}

/** What appends are made to. */
export type AppendOrderFile = Pick<RedexFile, "name" | "appendBatch">;

/** Options of {@linkcode AppendOrder.take}. */
export interface TakeTurnOptions {
  /** Gives the turn up. */
  readonly signal?: AbortSignal;
}

/**
 * The order of the appends to one file.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { AppendOrder } from "./append_order.ts";
 * import { openRedex } from "./redex.ts";
 * await using redex = openRedex({ clock: systemClock });
 * const order = new AppendOrder(await redex.open("a"));
 * const [first, second] = [order.take(), order.take()];
 * const later = second.append([new Uint8Array(1)]);
 * console.assert(await first.append([new Uint8Array(2)]) === 0n);
 * console.assert(await later === 1n);
 * ```
 */
export class AppendOrder {
  readonly #file: AppendOrderFile;
  readonly #turnsMax: number;
  /** From the one whose turn it is on; any of them can go. */
  readonly #turns = new Set<Turn>();

  /** @param turnsMax Turns that are taken and not used, at most. */
  constructor(file: AppendOrderFile, turnsMax = TURNS_MAX) {
    this.#file = file;
    this.#turnsMax = turnsMax;
  }

  /** Turns that were taken, and neither used nor given up. */
  get waiting(): number {
    return this.#turns.size;
  }

  /**
   * Takes the next turn.
   *
   * @throws RedexError `limit`.
   */
  take({ signal }: TakeTurnOptions = {}): AppendTurn {
    const { name } = this.#file;
    if (this.#turns.size >= this.#turnsMax) {
      throw new RedexError(
        "limit",
        `Cannot take a turn in channel "${name}": ${this.#turnsMax} wait, at most so many`,
        { next: "look for turns that are neither used nor given up" },
      );
    }
    const turn: Turn = { payloads: undefined, outcome: Promise.withResolvers(), isAsked: false };
    const cancel = () => {
      if (!this.#turns.delete(turn)) return;
      signal?.removeEventListener("abort", cancel);
      turn.outcome.reject(givenUp(name));
      this.#advance();
    };
    // Whoever gives up without having appended hears nothing of it.
    turn.outcome.promise.catch(() => {});
    turn.outcome.promise.finally(() => signal?.removeEventListener("abort", cancel)).catch(
      () => {},
    );
    this.#turns.add(turn);
    signal?.addEventListener("abort", cancel);
    if (signal?.aborted) cancel();
    return {
      append: (payloads) => {
        if (turn.isAsked) return Promise.reject(givenUp(name));
        turn.isAsked = true;
        turn.payloads = payloads;
        if (this.#turns.has(turn)) this.#advance();
        return turn.outcome.promise;
      },
      cancel,
      [Symbol.dispose]: cancel,
    };
  }

  /** Appends for the turns that are ready, up to the first that is not. */
  #advance(): void {
    for (const turn of this.#turns) {
      if (turn.payloads === undefined) return;
      this.#turns.delete(turn);
      try {
        turn.outcome.resolve(this.#file.appendBatch(turn.payloads));
      } catch (error) {
        turn.outcome.reject(error);
      }
    }
  }
}

interface Turn {
  payloads: readonly Uint8Array[] | undefined;
  readonly outcome: PromiseWithResolvers<bigint | undefined>;
  isAsked: boolean;
}

function givenUp(name: string): RedexError {
  return new RedexError(
    "closed",
    `Cannot append to channel "${name}" in turn: the turn was used or given up`,
    { next: "take another turn" },
  );
}
