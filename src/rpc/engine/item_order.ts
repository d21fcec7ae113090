/**
 * Answers of a numbered stream that came before their turn (docs/rpc-bodies.md). They wait for those in front of
 * them, for a while: a stream with a hole is never handed on as a whole one.
 */
import type { RpcError } from "../error.ts";
import { Timed, type TimerHeap } from "./timer_heap.ts";

/** What an answer is to its stream. */
export type StreamAnswer =
  | { readonly kind: "item" | "only"; readonly body: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "failure"; readonly error: RpcError };

/** Answers by number, from 1. */
export class ItemOrder extends Timed {
  /** Number whose turn it is. */
  next = 1;
  readonly #early = new Map<number, StreamAnswer>();
  readonly #timers: TimerHeap;
  readonly #gapMs: number;
  readonly #onGap: (missing: number) => void;

  /**
   * @param gapMs How long answers wait for one that is missing.
   * @param onGap Told when it did not come.
   */
  constructor(timers: TimerHeap, gapMs: number, onGap: (missing: number) => void) {
    super();
    this.#timers = timers;
    this.#gapMs = gapMs;
    this.#onGap = onGap;
  }

  /** Answers that wait; those who add bound the numbers. */
  get waiting(): number {
    return this.#early.size;
  }

  /** It is this number's turn, or was. */
  has(number: number): boolean {
    return number < this.next || this.#early.has(number);
  }

  /** Keeps an answer until its turn. */
  keep(number: number, answer: StreamAnswer, nowMs: number): void {
    this.#early.set(number, answer);
    if (this.heapAt < 0) this.#timers.add(this, nowMs + this.#gapMs);
  }

  /** The turn goes to the next number; its answer if that is here already. */
  advance(nowMs: number): StreamAnswer | undefined {
    this.next += 1;
    if (this.#early.size === 0) return undefined;
    const answer = this.#early.get(this.next);
    this.#early.delete(this.next);
    this.#timers.remove(this);
    if (this.#early.size > 0) this.#timers.add(this, nowMs + this.#gapMs);
    return answer;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#early.clear();
    this.#timers.remove(this);
  }

  override onDue(): void {
    this.#onGap(this.next);
  }
}
