/**
 * Keeps the bus's events in Redis streams (`storage.md` 2.6): one for each shard, `<prefix>:shard:<n>`, entries with
 * fields `d` (the event in its envelope) and `dedup_id`, several in one MULTI.
 *
 * Redis does not know repeats. A MULTI whose answer did not come may have run; written again, its events are there
 * twice with the same `dedup_id`, which `RedisStreamDedup` drops for who reads.
 */
import { Buffer } from "node:buffer";
import { type Clock, systemClock } from "../../../../base/mod.ts";
import type { Log } from "../../../../observe/mod.ts";
import { BusError } from "../../error.ts";
import type { Batch, BusAdapter, ShardPoll } from "../../types.ts";
import {
  decodeEnvelope,
  dedupIds,
  encodeEnvelope,
  EngineLink,
  type EngineRecord,
  InFlight,
  KnownShards,
  overLink,
  POLL_EVENTS_MAX,
  pollPage,
  withinDeadline,
  WriteProgress,
} from "../engine/mod.ts";
import { openRedis, type RedisClient } from "./_connect.ts";
import { warnOfDuplicates } from "./_duplicate_warning.ts";
import { redisError } from "./errors.ts";
import { SHARDS_END, SHARDS_RUN } from "./limits.ts";
import { type RedisAdapterOptions, type RedisSettings, redisSettings } from "./options.ts";

/** What the adapter needs. */
export interface RedisAdapterDeps {
  readonly clock?: Clock;
  readonly log: Pick<Log, "warn">;
}

/** A connection for each kind of work: a long reply holds up no write, and neither holds up the question of health. */
interface Links {
  readonly write: EngineLink<RedisClient>;
  readonly read: EngineLink<RedisClient>;
  readonly health: EngineLink<RedisClient>;
}

const STREAM_ID = /^\d{1,20}-\d{1,20}$/;

/**
 * Creates an adapter; nothing is connected or loaded before `start`.
 *
 * @throws BusError `config` when a setting cannot be used.
 */
export function createRedisAdapter(
  options: RedisAdapterOptions,
  deps: RedisAdapterDeps,
): BusAdapter {
  return new RedisAdapter(redisSettings(options), deps);
}

class RedisAdapter implements BusAdapter {
  readonly name = "redis";
  readonly #settings: RedisSettings;
  readonly #clock: Clock;
  readonly #log: Pick<Log, "warn">;
  readonly #progress = new WriteProgress();
  readonly #writes = new InFlight();
  readonly #shards: KnownShards;
  #links: Links | undefined;

  constructor(settings: RedisSettings, { clock = systemClock, log }: RedisAdapterDeps) {
    this.#settings = settings;
    this.#clock = clock;
    this.#shards = new KnownShards(clock);
    this.#log = log;
  }

  async start(): Promise<void> {
    await this.stop();
    const links = { write: this.#link(), read: this.#link(), health: this.#link() };
    this.#links = links;
    try {
      await links.write.use({ isPatient: false });
    } catch (error) {
      await this.stop();
      throw error;
    }
    warnOfDuplicates(this.#log);
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    await this.#writes.run(this.#write(batch, this.#started().write, signal));
  }

  async poll(
    shard: number,
    fromId: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<ShardPoll> {
    const { read: link } = this.#started();
    if (fromId !== undefined && !STREAM_ID.test(fromId)) {
      throw new BusError("cursor", `Cannot read shard ${shard}: its cursor is no id of Redis`);
    }
    const wanted = Math.min(limit, POLL_EVENTS_MAX);
    if (!(wanted >= 1)) return { events: [], nextId: undefined, hasMore: false };
    const from = fromId === undefined ? "-" : `(${fromId}`;
    const key = this.#key(shard);
    const entries = await overLink(link, this.#patience(signal), (client) => {
      const work = client.xrangeBuffer(key, from, "+", "COUNT", wanted + 1);
      return this.#wait(link, client, work, this.#cannot("read from"), signal);
    });
    return pollPage(entries.map(readEntry), wanted, `stream ${JSON.stringify(key)}`);
  }

  /** Nothing is held back: a write resolves when Redis has answered. */
  flush(): Promise<void> {
    this.#started();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    const links = this.#links;
    this.#links = undefined;
    this.#shards.forget();
    if (links === undefined) return;
    await this.#writes.drain(this.#clock, this.#settings.commandTimeoutMs);
    await Promise.all([links.write.stop(), links.read.stop(), links.health.stop()]);
  }

  /** Streams that are there, numbered from 0 with no more than 63 missing in a row. */
  async shards(signal: AbortSignal): Promise<readonly number[]> {
    const { read: link } = this.#started();
    return await this.#shards.get(() =>
      overLink(link, this.#patience(signal), async (client) => {
        const found: number[] = [];
        for (let first = 0; first < SHARDS_END; first += SHARDS_RUN) {
          const run = Array.from({ length: SHARDS_RUN }, (_, i) => first + i);
          const asked = Promise.all(run.map((shard) => client.exists(this.#key(shard))));
          const counts = await this.#wait(link, client, asked, this.#cannot("read from"), signal);
          const there = run.filter((_, i) => counts[i] === 1);
          if (there.length === 0) break;
          found.push(...there);
        }
        return found;
      })
    );
  }

  async lastInsertionTs(shard: number, signal: AbortSignal): Promise<bigint | undefined> {
    const { read: link } = this.#started();
    const [last] = await overLink(link, this.#patience(signal), (client) => {
      const work = client.xrevrangeBuffer(this.#key(shard), "+", "-", "COUNT", 1);
      return this.#wait(link, client, work, this.#cannot("read from"), signal);
    });
    const data = last && readEntry(last).data;
    return data && decodeEnvelope(data)?.insertionTs;
  }

  async isHealthy(signal: AbortSignal): Promise<boolean> {
    const link = this.#links?.health;
    if (link === undefined) return false;
    try {
      const client = await link.use({ signal, isPatient: false });
      await this.#wait(link, client, client.ping(), this.#cannot("reach"), signal);
      return true;
    } catch (error) {
      if (error instanceof BusError) return false;
      throw error;
    }
  }

  async #write(batch: Batch, link: EngineLink<RedisClient>, signal: AbortSignal): Promise<void> {
    const { pipelineEventsMax } = this.#settings;
    let done = this.#progress.eventsDone(batch);
    while (done < batch.events.length) {
      const [begin, end] = [done, Math.min(done + pipelineEventsMax, batch.events.length)];
      await overLink(link, this.#patience(signal), (client) => {
        const work = this.#addEvents(client, batch, begin, end);
        return this.#wait(link, client, work, this.#cannot("write to"), signal);
      });
      done = end;
      this.#progress.advance(batch, done);
    }
  }

  #link(): EngineLink<RedisClient> {
    const action = this.#cannot("connect to");
    return new EngineLink({
      clock: this.#clock,
      timeoutMs: this.#settings.connectTimeoutMs,
      action,
      open: (signal) => openRedis(this.#settings, action, signal),
    });
  }

  #started(): Links {
    if (this.#links !== undefined) return this.#links;
    throw new BusError("fatal", `${this.#cannot("use")}: the adapter is not started`);
  }

  /** A connection that did not answer in time is given up: what comes behind would wait as long. */
  async #wait<Value>(
    link: EngineLink<RedisClient>,
    client: RedisClient,
    work: Promise<Value>,
    action: string,
    signal: AbortSignal,
  ): Promise<Value> {
    try {
      return await withinDeadline(work, {
        clock: this.#clock,
        timeoutMs: this.#settings.commandTimeoutMs,
        signal,
        action,
        onLate: () => link.giveUp(client),
      });
    } catch (error) {
      const known = redisError(error, action, this.#settings.address.redact);
      // A server that was demoted keeps the connection; its address may lead to the new master by now.
      if (known.data?.["reply"] === "READONLY") link.drop(client);
      throw known;
    }
  }

  async #addEvents(client: RedisClient, batch: Batch, from: number, to: number): Promise<void> {
    const key = this.#key(batch.shard);
    const { streamEventsMax } = this.#settings;
    const idOf = dedupIds(batch);
    const bound = streamEventsMax === undefined ? [] : ["MAXLEN", "~", String(streamEventsMax)];
    const multi = client.multi();
    for (let i = from; i < to; i++) {
      const event = batch.events[i];
      if (event === undefined) break;
      const data = encodeEnvelope({ ...event, shard: batch.shard });
      multi.xadd(key, ...bound, "*", "d", asBuffer(data), "dedup_id", idOf(i));
    }
    const results = await multi.exec();
    if (results === null) throw new BusError("transient", `${this.#cannot("write to")}: no result`);
    for (const [error] of results) if (error !== null) throw error;
  }

  #patience(signal: AbortSignal) {
    return { clock: this.#clock, timeoutMs: this.#settings.connectTimeoutMs, signal };
  }

  #key(shard: number): string {
    return `${this.#settings.prefix}:shard:${shard}`;
  }

  #cannot(what: string): string {
    return `Cannot ${what} Redis at ${this.#settings.address.place}`;
  }
}

function readEntry([id, fields]: [Buffer, Buffer[]]): EngineRecord {
  let data: Buffer | undefined;
  let dedupId: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i]?.toString("latin1");
    if (name === "d") data = fields[i + 1];
    else if (name === "dedup_id") dedupId = fields[i + 1]?.toString();
  }
  // Replies are views of the socket's buffers.
  return { id: id.toString("latin1"), data: data && new Uint8Array(data), dedupId };
}

function asBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
