/** Counts of a bus, put together from its shards when somebody looks. */
import type { PushResult, Shard } from "./shard.ts";
import type { BusStats } from "./types.ts";

/** The counts that no shard keeps, and the sum of those they do. */
export class BusStatsView {
  unrouted = 0;
  refused = 0;
  sampled = 0;
  wasLossy = false;
  readonly #shards: ReadonlyMap<number, Shard>;

  constructor(shards: ReadonlyMap<number, Shard>) {
    this.#shards = shards;
  }

  /** Counts an event that a shard did not take. */
  count(result: Exclude<PushResult, "taken">): void {
    if (result === "sampled") this.sampled += 1;
    else this.refused += 1;
  }

  read(): BusStats {
    const shards = [...this.#shards.values()];
    return {
      ...this.#sums(),
      refused: BigInt(this.refused),
      unrouted: BigInt(this.unrouted),
      sampled: BigInt(this.sampled),
      wasLossy: this.wasLossy,
      shards: shards.map((shard) => ({
        shard: shard.id,
        state: shard.state,
        ingested: BigInt(shard.ingested),
        dropped: BigInt(shard.dropped),
        waiting: shard.waiting,
        batchTarget: shard.target.size,
      })),
    };
  }

  /** The same for the registry of metrics. */
  counters(): Record<string, number> {
    const { ingested, dropped, dispatched, batches } = this.#sums();
    const shards = [...this.#shards.values()];
    return {
      events_ingested_total: Number(ingested),
      events_dropped_total: Number(dropped),
      events_dispatched_total: Number(dispatched),
      batches_dispatched_total: Number(batches),
      events_refused_total: this.refused,
      events_unrouted_total: this.unrouted,
      events_sampled_total: this.sampled,
      events_waiting: shards.reduce((sum, { waiting }) => sum + waiting, 0),
      shards_active: shards.filter(({ state }) => state === "active").length,
    };
  }

  #sums(): Pick<BusStats, "ingested" | "dropped" | "dispatched" | "batches"> {
    const sum = (field: "ingested" | "dropped" | "dispatched" | "batches") =>
      BigInt([...this.#shards.values()].reduce((total, shard) => total + shard[field], 0));
    return {
      ingested: sum("ingested"),
      dropped: sum("dropped"),
      dispatched: sum("dispatched"),
      batches: sum("batches"),
    };
  }
}
