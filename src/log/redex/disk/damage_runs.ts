/**
 * Which records of a segment are damaged, as runs, and where the sound ones are.
 *
 * The place of a record in the index file is called its record number, its place among the sound ones
 * its rank.
 */

import { DAMAGE_RUNS_MAX } from "./limits.ts";

/** A run of damaged records. */
export interface DamageRun {
  readonly start: number;
  readonly count: number;
}

/** Damaged records of one segment. */
export class DamageRuns {
  /** First record of each run, ascending. */
  readonly #starts: number[] = [];
  readonly #counts: number[] = [];
  /** Damaged records before each run. */
  readonly #before: number[] = [];
  readonly #runsMax: number;
  #total = 0;

  /** @param runsMax Runs it is to hold at most. */
  constructor(runsMax = DAMAGE_RUNS_MAX) {
    this.#runsMax = runsMax;
  }

  /** No run more is to be added. */
  get isFull(): boolean {
    return this.#starts.length >= this.#runsMax;
  }

  /** Damaged records. */
  get total(): number {
    return this.#total;
  }

  get runs(): number {
    return this.#starts.length;
  }

  /** Adds records behind all that were added before. */
  add(start: number, count = 1): void {
    const last = this.#starts.length - 1;
    const end = last < 0 ? -1 : (this.#starts[last] ?? 0) + (this.#counts[last] ?? 0);
    if (end === start) {
      this.#counts[last] = (this.#counts[last] ?? 0) + count;
    } else {
      this.#starts.push(start);
      this.#counts.push(count);
      this.#before.push(this.#total);
    }
    this.#total += count;
  }

  /** Record number of the sound record with this rank. */
  recordOf(rank: number): number {
    // Runs that begin at or before the record: those with start - before <= rank.
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) - (this.#before[middle] ?? 0) <= rank) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? rank : rank + (this.#before[low - 1] ?? 0) + (this.#counts[low - 1] ?? 0);
  }

  /** First record at or behind `record` that is damaged; `Infinity` when there is none. */
  nextDamaged(record: number): number {
    for (let i = this.#indexFrom(record); i < this.#starts.length; i++) {
      const start = this.#starts[i] ?? 0;
      if (record < start) return start;
      if (record < start + (this.#counts[i] ?? 0)) return record;
    }
    return Infinity;
  }

  *[Symbol.iterator](): Generator<DamageRun> {
    for (const [i, start] of this.#starts.entries()) {
      yield { start, count: this.#counts[i] ?? 0 };
    }
  }

  /** The last run that begins at or before `record`, or the first one. */
  #indexFrom(record: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= record) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}
