/**
 * How far a batch got that is written in parts: when one part fails, the repeat goes on behind those that the engine
 * acknowledged, so that it has only that part twice at most.
 */
import type { Batch } from "../../types.ts";

interface Progress {
  readonly producerNonce: bigint;
  readonly sequenceStart: bigint;
  readonly eventsDone: number;
}

/** Remembers one batch for each shard, of which there are at most 65,536. */
export class WriteProgress {
  readonly #byShard = new Map<number, Progress>();

  /** Events of the batch that need not be written again. */
  eventsDone({ shard, producerNonce, sequenceStart }: Batch): number {
    const progress = this.#byShard.get(shard);
    const isSame = progress?.producerNonce === producerNonce &&
      progress.sequenceStart === sequenceStart;
    return isSame ? progress.eventsDone : 0;
  }

  /** The first `eventsDone` are in the engine. */
  advance({ shard, producerNonce, sequenceStart, events }: Batch, eventsDone: number): void {
    if (eventsDone >= events.length) this.#byShard.delete(shard);
    else this.#byShard.set(shard, { producerNonce, sequenceStart, eventsDone });
  }
}
