/**
 * What the router sees of each stream it relays, and of all together (promise W15).
 *
 * The number of streams kept is bounded: a new one beyond it has no statistics of its own, counts in the
 * aggregate, and is counted as left out.
 */

import { joinHalves, PairMap } from "../../../base/mod.ts";
import { RELAYED_STREAM_IDLE_MS, RELAYED_STREAMS_MAX } from "../mesh_limits.ts";
import type { RelayedStream } from "../types.ts";

/** A packet of a stream without statistics. */
export const NO_STREAM = -1;

/** Counters of all streams together. */
export interface RelayedStreamCounters {
  relayed_streams_seen_total: number;
  relayed_streams_left_out_total: number;
  relayed_stream_packets_total: number;
  relayed_stream_bytes_total: number;
  relayed_stream_drops_total: number;
}

/** Statistics of relayed streams, in columns. */
export class RelayedStreams {
  readonly counters: RelayedStreamCounters = {
    relayed_streams_seen_total: 0,
    relayed_streams_left_out_total: 0,
    relayed_stream_packets_total: 0,
    relayed_stream_bytes_total: 0,
    relayed_stream_drops_total: 0,
  };
  readonly #max: number;
  readonly #places = new PairMap<number>(16);
  readonly #free: number[] = [];
  readonly #low: Uint32Array;
  readonly #high: Uint32Array;
  readonly #packets: Float64Array;
  readonly #bytes: Float64Array;
  readonly #drops: Float64Array;
  readonly #activeAt: Float64Array;
  #used = 0;

  constructor(max = RELAYED_STREAMS_MAX) {
    this.#max = max;
    this.#low = new Uint32Array(max);
    this.#high = new Uint32Array(max);
    this.#packets = new Float64Array(max);
    this.#bytes = new Float64Array(max);
    this.#drops = new Float64Array(max);
    this.#activeAt = new Float64Array(max);
  }

  /** Streams with statistics. */
  get size(): number {
    return this.#places.size;
  }

  /** The stream's place, taken now if it is new; {@linkcode NO_STREAM} when there is none left. */
  find(low: number, high: number, now: number): number {
    let place = this.#places.get(low, high);
    if (place === undefined) {
      if (this.#places.size >= this.#max) {
        this.counters.relayed_streams_left_out_total += 1;
        return NO_STREAM;
      }
      place = this.#free.pop() ?? this.#used++;
      this.#places.set(low, high, place);
      this.#low[place] = low;
      this.#high[place] = high;
      this.#packets[place] = 0;
      this.#bytes[place] = 0;
      this.#drops[place] = 0;
      this.counters.relayed_streams_seen_total += 1;
    }
    this.#activeAt[place] = now;
    return place;
  }

  /** A packet of the stream was passed on. */
  onPassed(place: number, bytes: number): void {
    this.counters.relayed_stream_packets_total += 1;
    this.counters.relayed_stream_bytes_total += bytes;
    if (place === NO_STREAM) return;
    this.#packets[place] = (this.#packets[place] ?? 0) + 1;
    this.#bytes[place] = (this.#bytes[place] ?? 0) + bytes;
  }

  /** A packet of the stream was dropped. */
  onDropped(place: number): void {
    this.counters.relayed_stream_drops_total += 1;
    if (place !== NO_STREAM) this.#drops[place] = (this.#drops[place] ?? 0) + 1;
  }

  /** What is known of one stream; `undefined` when it has no statistics. */
  get(low: number, high: number): RelayedStream | undefined {
    const place = this.#places.get(low, high);
    return place === undefined ? undefined : this.#describe(place);
  }

  /** All streams, for display. */
  streams(): RelayedStream[] {
    return [...this.#places.values()].map((place) => this.#describe(place));
  }

  /** Forgets streams that were idle for long. */
  sweep(now: number): void {
    if (this.#places.size === 0) return;
    for (const place of this.#places.values()) {
      if (now - (this.#activeAt[place] ?? 0) <= RELAYED_STREAM_IDLE_MS) continue;
      this.#places.delete(this.#low[place] ?? 0, this.#high[place] ?? 0);
      this.#free.push(place);
    }
  }

  #describe(place: number): RelayedStream {
    return {
      streamId: joinHalves(this.#low[place] ?? 0, this.#high[place] ?? 0),
      packets: this.#packets[place] ?? 0,
      bytes: this.#bytes[place] ?? 0,
      drops: this.#drops[place] ?? 0,
    };
  }
}
