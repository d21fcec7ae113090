/** The streams of the shards: their names, what is known of them, and making those that are missing. */
import type { StreamConfig } from "@nats-io/jetstream";
import type { NatsClient } from "./_connect.ts";
import { isNoStream, isStreamThere, natsError } from "./errors.ts";
import type { JetStreamSettings } from "./options.ts";

/** What a poll needs to know of a stream. */
export interface StreamFacts {
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** True when it may be read by direct gets. */
  readonly isDirect: boolean;
}

/** A shard's number, without leading zeros. */
const SHARD = /^(?:0|[1-9]\d{0,4})$/;

/** Streams of one prefix. */
export class ShardStreams {
  readonly #settings: JetStreamSettings;
  /** Shards whose stream is there; at most 65,536. */
  readonly #there = new Map<number, Promise<void>>();

  constructor(settings: JetStreamSettings) {
    this.#settings = settings;
  }

  /** Name of a shard's stream. */
  nameOf(shard: number): string {
    return `${this.#settings.prefix}_shard_${shard}`;
  }

  /** Subject that a shard's events are published to; `*` for those of all shards. */
  subjectOf(shard: number | "*"): string {
    return `${this.#settings.prefix}.shard.${shard}`;
  }

  /** Makes the shard's stream unless it is there; asked once for all who write to it. */
  ensure(client: NatsClient, shard: number, action: string): Promise<void> {
    const known = this.#there.get(shard);
    if (known !== undefined) return known;
    const work = this.#make(client, shard, action);
    this.#there.set(shard, work);
    work.catch(() => {
      if (this.#there.get(shard) === work) this.#there.delete(shard);
    });
    return work;
  }

  /** The stream may have been removed: the next write looks. */
  forget(shard: number): void {
    this.#there.delete(shard);
  }

  /** Nothing is known any more. */
  forgetAll(): void {
    this.#there.clear();
  }

  /**
   * What the server says of a shard's stream; `undefined` when there is none.
   *
   * @throws BusError Any other failure is one, and no empty stream.
   */
  async facts(client: NatsClient, shard: number, action: string): Promise<StreamFacts | undefined> {
    try {
      const { state, config } = await client.manager.streams.info(this.nameOf(shard));
      return {
        firstSequence: state.first_seq,
        lastSequence: state.last_seq,
        isDirect: config.allow_direct === true,
      };
    } catch (error) {
      const known = natsError(error, action, this.#settings.redact);
      if (isNoStream(known)) return undefined;
      throw known;
    }
  }

  /** Shards that have a stream, in order. */
  async shards({ manager }: NatsClient): Promise<readonly number[]> {
    const prefix = this.nameOf(0).slice(0, -1);
    const shards: number[] = [];
    for await (const name of manager.streams.names(this.subjectOf("*"))) {
      const number = name.slice(prefix.length);
      if (name.startsWith(prefix) && SHARD.test(number)) shards.push(Number(number));
    }
    return shards.sort((a, b) => a - b);
  }

  async #make(client: NatsClient, shard: number, action: string): Promise<void> {
    if (await this.facts(client, shard, action) !== undefined) return;
    try {
      await client.manager.streams.add(this.#config(shard));
    } catch (error) {
      const known = natsError(error, action, this.#settings.redact);
      // Another writer was faster, with settings of its own.
      if (!isStreamThere(known)) throw known;
    }
  }

  #config(shard: number): StreamConfig & { name: string } {
    const { replicas, dedupWindowS, streamAgeSMax, streamEventsMax, streamBytesMax } =
      this.#settings;
    const ageNs = (streamAgeSMax ?? 0) * 1e9;
    const windowNs = dedupWindowS * 1e9;
    return {
      name: this.nameOf(shard),
      subjects: [this.subjectOf(shard)],
      retention: "limits",
      storage: "file",
      discard: "old",
      num_replicas: replicas,
      allow_direct: true,
      max_msgs: streamEventsMax ?? -1,
      max_bytes: streamBytesMax ?? -1,
      max_age: ageNs,
      // The server refuses a window that is longer than it keeps events.
      duplicate_window: ageNs === 0 ? windowNs : Math.min(windowNs, ageNs),
    } as StreamConfig & { name: string };
  }
}
