/** Allowances of many, each with a rate of its own, in a table of bounded size. */
import { TokenBucket, type TokenRate } from "../../../base/mod.ts";

/** A bucket per id. Who was not heard for long starts again with a full one. */
export class RateTable {
  readonly #rate: TokenRate;
  readonly #idsMax: number;
  /** The longest unused first. */
  readonly #buckets = new Map<bigint, TokenBucket>();

  constructor(rate: TokenRate, idsMax: number) {
    this.#rate = rate;
    this.#idsMax = idsMax;
  }

  /** Takes one token of an id; false when it has none left. */
  take(id: bigint, nowMs: number): boolean {
    const bucket = this.#buckets.get(id) ?? this.#add(nowMs);
    this.#buckets.delete(id);
    this.#buckets.set(id, bucket);
    return bucket.take(1, nowMs);
  }

  #add(nowMs: number): TokenBucket {
    if (this.#buckets.size >= this.#idsMax) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return new TokenBucket(this.#rate, nowMs);
  }
}
