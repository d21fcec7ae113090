/** The tails of one file: who waits, and waking them once for all appends of a turn of the program. */
import { RedexError } from "./error.ts";
import { TAILS_MAX } from "./limits.ts";
import { Tail, type TailSource } from "./tail.ts";
import type { TailItem } from "./types.ts";

/** What one tail has read, for others that want the same in the same turn. */
export interface SharedRead {
  readonly from: number;
  readonly itemsMax: number;
  readonly items: readonly TailItem[];
  /** Number behind it. */
  readonly next: number;
}

/** Tails that are open. */
export class TailGroup {
  /** While those that wait are served, nothing is appended: most of them want the same. */
  shared: SharedRead | undefined;
  /** True while several that wait are served. */
  isServing = false;
  readonly #source: TailSource;
  readonly #tails = new Set<Tail>();
  readonly #waiting = new Set<Tail>();
  #isWaking = false;

  constructor(source: TailSource) {
    this.#source = source;
  }

  /** Opens a tail. @throws RedexError `limit`. */
  open(from: number, signal?: AbortSignal): Tail {
    const { counters, name } = this.#source;
    if (this.#tails.size >= TAILS_MAX) {
      counters.tail_limit_total += 1;
      throw new RedexError(
        "limit",
        `Cannot tail channel "${name}": it has ${TAILS_MAX} tails, at most so many`,
        { next: "close tails that are not needed any more" },
      );
    }
    const tail = new Tail(this.#source, this, from, signal);
    this.#tails.add(tail);
    counters.tails_open += 1;
    if (signal?.aborted) tail.close();
    return tail;
  }

  /** Tells those that wait that there is something to read; costs the append almost nothing. */
  wake(): void {
    if (this.#waiting.size === 0 || this.#isWaking) return;
    this.#isWaking = true;
    queueMicrotask(() => this.serve());
  }

  /** Answers all that wait and can be answered. */
  serve(): void {
    this.#isWaking = false;
    this.isServing = this.#waiting.size > 1;
    for (const tail of this.#waiting) if (tail.serve()) this.#waiting.delete(tail);
    this.isServing = false;
    this.shared = undefined;
  }

  /** The file was closed: those that wait hear so, and no tail counts any more. */
  end(): void {
    for (const tail of this.#tails) tail.detach();
    this.#source.counters.tails_open -= this.#tails.size;
    this.#tails.clear();
    this.#waiting.clear();
  }

  /** A tail has read all there is, and somebody waits for more. */
  wait(tail: Tail): void {
    this.#waiting.add(tail);
  }

  /** A tail was closed. */
  remove(tail: Tail): void {
    this.#waiting.delete(tail);
    if (this.#tails.delete(tail)) this.#source.counters.tails_open -= 1;
  }
}
