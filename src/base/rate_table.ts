/** Allowances of many, each with a rate of its own, in a table of bounded size. */
import { TokenBucket, type TokenRate } from "./token_bucket.ts";

/**
 * A bucket per id. Who was not heard for long starts again with a full one.
 *
 * @example
 * ```ts
 * import { RateTable } from "./rate_table.ts";
 * const rates = new RateTable({ perSecond: 1 }, 100);
 * console.assert(rates.take(7n, 0) && !rates.take(7n, 0) && rates.take(8n, 0));
 * ```
 */
export class RateTable {
  readonly #rate: TokenRate;
  readonly #idsMax: number;
  /** The longest unused first. */
  readonly #buckets = new Map<bigint, TokenBucket>();

  /** @param idsMax Most ids remembered. */
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
