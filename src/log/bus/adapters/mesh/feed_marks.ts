/** How far other nodes' buses got here, so that what comes again after a lost answer is told. */
import type { FedMark } from "../../types.ts";
import { PRODUCERS_MAX } from "./limits.ts";

/** Marks of at most {@linkcode PRODUCERS_MAX} producers and shards; the ones heard of longest ago go. */
export class FeedMarks {
  readonly #nextOf = new Map<string, bigint>();

  /** Number of the event that a producer's shard goes on with; `undefined` for one that was never heard. */
  next(source: bigint, producerNonce: bigint, shard: number): bigint | undefined {
    return this.#nextOf.get(keyOf(source, producerNonce, shard));
  }

  /** Notes it. */
  set({ source, producerNonce, shard, next }: FedMark): void {
    const key = keyOf(source, producerNonce, shard);
    this.#nextOf.delete(key);
    this.#nextOf.set(key, next);
    const [oldest] = this.#nextOf.keys();
    if (this.#nextOf.size > PRODUCERS_MAX && oldest !== undefined) this.#nextOf.delete(oldest);
  }
}

/** With the node, so that none can speak for another's producer. */
function keyOf(source: bigint, producerNonce: bigint, shard: number): string {
  return `${source}:${producerNonce}:${shard}`;
}
