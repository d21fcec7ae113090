/**
 * Streams that ended early for their reader: their packets are refused, for longer than a sender tries,
 * about 7 s, so that none of them opens the stream again.
 */
import { PairMap } from "../../../base/mod.ts";
import { ENDED_STREAM_MS, ENDED_STREAMS_MAX } from "../limits.ts";

/** Ended streams of one session. */
export class EndedStreams {
  /** Until when each is refused. */
  readonly #until = new PairMap<number>(8);

  /** Notes that a stream ended; beyond the bound it may be opened again by a late packet. */
  add(low: number, high: number, now: number): void {
    if (this.#until.size < ENDED_STREAMS_MAX) this.#until.set(low, high, now + ENDED_STREAM_MS);
  }

  /** The stream is wanted again. */
  delete(low: number, high: number): void {
    this.#until.delete(low, high);
  }

  /** True when packets of the stream are refused. */
  refuses(low: number, high: number, now: number): boolean {
    return (this.#until.get(low, high) ?? 0) > now;
  }

  /** Forgets those whose time is over; returns how many are left. */
  sweep(now: number): number {
    for (const [low, high, until] of this.#until.entries()) {
      if (until <= now) this.#until.delete(low, high);
    }
    return this.#until.size;
  }
}
