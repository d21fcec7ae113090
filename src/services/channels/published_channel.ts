/** One channel as this node publishes on it: its rules, its rate, and what was sent. */
import { NetError, TokenBucket } from "../../base/mod.ts";
import { type ChannelConfig, type ChannelId, PublisherGate } from "../../channel/mod.ts";

/** What was published on a channel since the node started. */
export interface PublishedCounters {
  events_total: number;
  bytes_total: number;
  deliveries_total: number;
  failures_total: number;
  refused_rate_total: number;
}

/** State of one channel. */
export class PublishedChannel {
  readonly id: ChannelId;
  readonly config: ChannelConfig;
  readonly gate: PublisherGate;
  readonly counters: PublishedCounters = {
    events_total: 0,
    bytes_total: 0,
    deliveries_total: 0,
    failures_total: 0,
    refused_rate_total: 0,
  };
  /** Chain to publish with, as it was set; `undefined` when it was not. */
  chain: Uint8Array | undefined;
  /** Chain from the tokens this node keeps. */
  keptChain: Uint8Array | undefined;
  /** Settles when those who waited for the channel could subscribe; set while it was just opened. */
  opening: Promise<void> | undefined;
  readonly #bucket: TokenBucket | undefined;

  constructor(id: ChannelId, config: ChannelConfig, now: number) {
    this.id = id;
    this.config = config;
    this.gate = new PublisherGate(id, config);
    const { ratePerSecond } = config;
    if (ratePerSecond !== undefined) {
      this.#bucket = new TokenBucket({ perSecond: ratePerSecond }, now);
    }
  }

  /** Takes room for events from the channel's rate; how many there was room for. */
  admit(count: number, now: number): number {
    const bucket = this.#bucket;
    if (bucket === undefined) return count;
    let admitted = 0;
    while (admitted < count && bucket.take(1, now)) admitted += 1;
    this.counters.refused_rate_total += count - admitted;
    return admitted;
  }

  /** The error of a publish for which the rate had no room. */
  rateError(): NetError {
    const { ratePerSecond = 1 } = this.config;
    const retryAfterMs = Math.ceil(1_000 / ratePerSecond);
    return new NetError(
      "limit",
      `Cannot publish on "${this.id.name}": its rate is ${ratePerSecond} events per second`,
      {
        next: `try again in ${retryAfterMs} ms, or raise the rate with net channel create`,
        data: { retry_after_ms: retryAfterMs },
      },
    );
  }
}
