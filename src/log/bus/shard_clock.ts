/** Time of one shard: nanoseconds since it was made, each greater than the last (`storage.md` 2.2). */

const HALF = 2 ** 32;

/** Gives every event of a shard its time, as two halves of 32 bits. */
export class ShardClock {
  #startMs: number;
  #high = 0;
  #low = 0;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  /** Upper half of the time given last. */
  get high(): number {
    return this.#high;
  }

  /** Lower half of the time given last. */
  get low(): number {
    return this.#low;
  }

  /** The time given last; 0 before the first. */
  get last(): bigint {
    return BigInt(this.#high) << 32n | BigInt(this.#low);
  }

  /** Gives the next time: now, or one more than the last. */
  next(nowMs: number): void {
    const ns = this.since(nowMs);
    const high = Math.floor(ns / HALF);
    const low = ns - high * HALF;
    if (high > this.#high || (high === this.#high && low > this.#low)) {
      this.#high = high;
      this.#low = low;
    } else if (this.#low === HALF - 1) {
      this.#high += 1;
      this.#low = 0;
    } else this.#low += 1;
  }

  /** Goes on behind a time of an earlier life, as if no time had passed since. */
  resume(last: bigint, nowMs: number): void {
    if (last <= this.last) return;
    this.#high = Number(last >> 32n);
    this.#low = Number(last & 0xffff_ffffn);
    this.#startMs = nowMs - Number(last) / 1e6;
  }

  /** Whole nanoseconds from the start to this moment. */
  since(nowMs: number): number {
    return Math.max(0, Math.floor((nowMs - this.#startMs) * 1e6));
  }
}
