/** A batch whose events stay bytes in the segments of the ring they came from until somebody asks for them. */
import { type SegmentPart, startOf } from "./segment_ring.ts";
import type { Batch } from "./types.ts";

/** Events that leave together, made from parts of a ring. */
export class PackedBatch implements Batch {
  readonly shard: number;
  readonly sequenceStart: bigint;
  readonly producerNonce: bigint;
  /** Number of its events: asking for it makes none. */
  readonly count: number;
  readonly parts: readonly SegmentPart[];
  #events: Batch["events"] | undefined;
  #isReleased = false;

  constructor(
    shard: number,
    parts: readonly SegmentPart[],
    sequenceStart: bigint,
    producerNonce: bigint,
  ) {
    this.shard = shard;
    this.parts = parts;
    this.sequenceStart = sequenceStart;
    this.producerNonce = producerNonce;
    this.count = parts.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  /**
   * The events; their bytes are views that nobody writes to again.
   *
   * @throws TypeError when nobody asked until the adapter had acknowledged the batch: its segments are in use again.
   */
  get events(): Batch["events"] {
    if (this.#isReleased) throw new TypeError("Cannot read events: the batch was acknowledged");
    return this.#events ??= this.parts.flatMap(eventsOf);
  }

  /** Gives the segments up, unless somebody may hold views into them; true when they may be used again. */
  release(): boolean {
    this.#isReleased ||= this.#events === undefined;
    return this.#isReleased;
  }
}

/** Number of a batch's events, without making them if they were not made. */
export function eventCountOf(batch: Batch): number {
  return batch instanceof PackedBatch ? batch.count : batch.events.length;
}

function eventsOf({ segment, from, to }: SegmentPart): Batch["events"][number][] {
  const events: Batch["events"][number][] = [];
  let start = startOf(segment, from);
  for (let index = from; index < to; index++) {
    const end = segment.ends[index] ?? start;
    const high = BigInt(segment.tsHigh[index] ?? 0);
    const low = BigInt(segment.tsLow[index] ?? 0);
    events.push({ raw: segment.bytes.subarray(start, end), insertionTs: high << 32n | low });
    start = end;
  }
  return events;
}
