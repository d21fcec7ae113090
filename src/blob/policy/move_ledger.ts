/**
 * So many moves per hour and no more, and none of the same thing twice within its rest (issue: no thrashing).
 * What a node took from a peer counts too: it is not pushed on as soon as it came, nor pulled back as soon as
 * it went.
 */
import { HOUR_MS, MOVES_REMEMBERED_MAX } from "./limits.ts";

/** Bounds of movement. */
export interface MoveRule {
  /** Moves within any hour. */
  readonly perHourMax: number;
  /** Rest of one thing after a move. */
  readonly restMs: number;
}

/**
 * The moves of the last time.
 *
 * @example
 * ```ts
 * import { MoveLedger } from "./move_ledger.ts";
 * const ledger = new MoveLedger({ perHourMax: 1, restMs: 60_000 });
 * console.assert(ledger.take("ab", 0) && !ledger.take("cd", 1));
 * console.assert(ledger.take("cd", 3_600_000));
 * ```
 */
export class MoveLedger {
  #rule: MoveRule;
  /** When each thing was moved last, the oldest first. */
  readonly #last = new Map<string, number>();
  /** Times of the moves of the last hour, the oldest first; those before `#first` are over. */
  #times: number[] = [];
  #first = 0;

  constructor(rule: MoveRule) {
    this.#rule = rule;
  }

  configure(rule: MoveRule): void {
    this.#rule = rule;
  }

  /** Moves that are still allowed within this hour. */
  leftAt(nowMs: number): number {
    while ((this.#times[this.#first] ?? Infinity) <= nowMs - HOUR_MS) this.#first += 1;
    if (this.#first > 1_024) {
      this.#times = this.#times.slice(this.#first);
      this.#first = 0;
    }
    return Math.max(0, this.#rule.perHourMax - (this.#times.length - this.#first));
  }

  /** True while the thing rests. */
  isResting(key: string, nowMs: number): boolean {
    const last = this.#last.get(key);
    return last !== undefined && nowMs - last < this.#rule.restMs;
  }

  /** True when it may be moved now. */
  mayMove(key: string, nowMs: number): boolean {
    return this.leftAt(nowMs) > 0 && !this.isResting(key, nowMs);
  }

  /** Counts a move, if it may be made. */
  take(key: string, nowMs: number): boolean {
    if (!this.mayMove(key, nowMs)) return false;
    this.#times.push(nowMs);
    this.rest(key, nowMs);
    return true;
  }

  /** Counts a move of something that rests already: a further copy of what just moved. */
  spend(nowMs: number): boolean {
    if (this.leftAt(nowMs) === 0) return false;
    this.#times.push(nowMs);
    return true;
  }

  /** Ends the rest of a thing that did not move after all; that it was tried still counts. */
  forgive(key: string): void {
    this.#last.delete(key);
  }

  /** Takes a move back that was not even tried. */
  giveBack(key: string): void {
    if (this.#times.length > this.#first) this.#times.pop();
    this.#last.delete(key);
  }

  /** Moves within the last hour. */
  countAt(nowMs: number): number {
    this.leftAt(nowMs);
    return this.#times.length - this.#first;
  }

  /** Lets a thing rest without counting: it came by itself. */
  rest(key: string, nowMs: number): void {
    this.#last.delete(key);
    this.#last.set(key, nowMs);
    for (const [oldest, atMs] of this.#last) {
      const isOver = nowMs - atMs >= this.#rule.restMs;
      if (!isOver && this.#last.size <= MOVES_REMEMBERED_MAX) return;
      this.#last.delete(oldest);
    }
  }
}
