/**
 * Keeps the bus's events in JetStream (`storage.md` 2.6): a stream for each shard, `<prefix>_shard_<n>` with subject
 * `<prefix>.shard.<n>`, on files, the oldest going first, readable by direct get.
 *
 * Events carry their dedup id as `Nats-Msg-Id`; what is written again within the dedup window is there once.
 */
import { type Clock, systemClock } from "../../../../base/mod.ts";
import type { Log } from "../../../../observe/mod.ts";
import { BusError } from "../../error.ts";
import type { Batch, BusAdapter, ShardPoll } from "../../types.ts";
import {
  decodeEnvelope,
  EngineLink,
  InFlight,
  KnownShards,
  overLink,
  POLL_EVENTS_MAX,
  pollPage,
  withinDeadline,
  WriteProgress,
} from "../engine/mod.ts";
import { type NatsClient, openNats } from "./_connect.ts";
import { fetchByReader, fetchDirect, hasBatchedGet } from "./_fetch.ts";
import { checkSizes, publishWindow } from "./_publish.ts";
import { ShardStreams } from "./_streams.ts";
import { explainByEnd, natsError } from "./errors.ts";
import { SEQUENCE_MAX, WINDOW_EVENTS } from "./limits.ts";
import {
  type JetStreamAdapterOptions,
  type JetStreamSettings,
  jetStreamSettings,
} from "./options.ts";

/** What the adapter needs. */
export interface JetStreamAdapterDeps {
  readonly clock?: Clock;
  readonly log: Pick<Log, "warn">;
}

interface Links {
  readonly data: EngineLink<NatsClient>;
  readonly health: EngineLink<NatsClient>;
}

const SEQUENCE = /^\d{1,20}$/;

/**
 * Creates an adapter; nothing is connected or loaded before `start`.
 *
 * @throws BusError `config` when a setting cannot be used.
 */
export function createJetStreamAdapter(
  options: JetStreamAdapterOptions,
  deps: JetStreamAdapterDeps,
): BusAdapter {
  return new JetStreamAdapter(jetStreamSettings(options), deps);
}

class JetStreamAdapter implements BusAdapter {
  readonly name = "jetstream";
  readonly #settings: JetStreamSettings;
  readonly #clock: Clock;
  readonly #log: Pick<Log, "warn">;
  readonly #progress = new WriteProgress();
  readonly #writes = new InFlight();
  readonly #shards: KnownShards;
  readonly #streams: ShardStreams;
  #links: Links | undefined;

  constructor(settings: JetStreamSettings, { clock = systemClock, log }: JetStreamAdapterDeps) {
    this.#settings = settings;
    this.#clock = clock;
    this.#shards = new KnownShards(clock);
    this.#streams = new ShardStreams(settings);
    this.#log = log;
  }

  async start(): Promise<void> {
    await this.stop();
    const links = { data: this.#link(), health: this.#link() };
    this.#links = links;
    try {
      const { connection } = await links.data.use({ isPatient: false });
      if (connection.info?.jetstream !== true) {
        throw new BusError("fatal", `${this.#cannot("use")}: the server runs without JetStream`, {
          next: "start the server with JetStream: nats-server -js",
        });
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    await this.#writes.run(this.#write(batch, this.#started().data, signal));
  }

  async poll(
    shard: number,
    fromId: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<ShardPoll> {
    const { data: link } = this.#started();
    if (fromId !== undefined && !SEQUENCE.test(fromId)) {
      throw new BusError("cursor", `Cannot read shard ${shard}: its cursor is no id of JetStream`);
    }
    const nothing = { events: [], nextId: undefined, hasMore: false };
    const wanted = Math.min(limit, POLL_EVENTS_MAX);
    const sequence = Number(fromId ?? 0) + 1;
    if (!(wanted >= 1) || sequence > SEQUENCE_MAX) return nothing;
    return await overLink(link, this.#patience(signal), async (client) => {
      const action = this.#cannot("read from");
      const facts = await this.#wait(
        link,
        client,
        this.#streams.facts(client, shard, action),
        action,
        signal,
      );
      if (facts === undefined || facts.lastSequence < sequence) return nothing;
      const stream = this.#streams.nameOf(shard);
      const { redact } = this.#settings;
      const fetch = facts.isDirect && hasBatchedGet(client) ? fetchDirect : fetchByReader;
      const work = fetch(client, { stream, sequence, count: wanted + 1, action, redact });
      const { records, isMore } = await this.#wait(link, client, work, action, signal);
      // Events that were removed inside a stream are passed over; those that its bounds took are missed.
      const isBehind = fromId !== undefined && facts.firstSequence > sequence;
      const missed = isBehind ? BigInt(facts.firstSequence - sequence) : 0n;
      if (records.length > 0) {
        return { ...pollPage(records, wanted, `stream ${stream}`, isMore), missed };
      }
      // All of them are gone.
      return { events: [], nextId: String(facts.lastSequence), hasMore: false, missed };
    });
  }

  /** Nothing is held back: a write resolves when JetStream has acknowledged it. */
  flush(): Promise<void> {
    this.#started();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    const links = this.#links;
    this.#links = undefined;
    this.#streams.forgetAll();
    this.#shards.forget();
    if (links === undefined) return;
    await this.#writes.drain(this.#clock, this.#settings.requestTimeoutMs);
    await Promise.all([links.data.stop(), links.health.stop()]);
  }

  async shards(signal: AbortSignal): Promise<readonly number[]> {
    const { data: link } = this.#started();
    const action = this.#cannot("read from");
    return await this.#shards.get(() =>
      overLink(
        link,
        this.#patience(signal),
        (client) => this.#wait(link, client, this.#streams.shards(client), action, signal),
      )
    );
  }

  async lastInsertionTs(shard: number, signal: AbortSignal): Promise<bigint | undefined> {
    const { data: link } = this.#started();
    const action = this.#cannot("read from");
    const query = { last_by_subj: this.#streams.subjectOf(shard) };
    return await overLink(link, this.#patience(signal), async (client) => {
      const facts = this.#streams.facts(client, shard, action);
      if (await this.#wait(link, client, facts, action, signal) === undefined) return undefined;
      const asked = client.manager.streams.getMessage(this.#streams.nameOf(shard), query);
      const last = await this.#wait(link, client, asked, action, signal);
      return last === null ? undefined : decodeEnvelope(last.data)?.insertionTs;
    });
  }

  async isHealthy(signal: AbortSignal): Promise<boolean> {
    const link = this.#links?.health;
    if (link === undefined) return false;
    const action = this.#cannot("reach");
    try {
      const client = await link.use({ signal, isPatient: false });
      await this.#wait(link, client, client.manager.getAccountInfo(), action, signal);
      return true;
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      // A user who may not ask got an answer all the same.
      return error.data?.["error"] === "PermissionViolationError";
    }
  }

  async #write(batch: Batch, link: EngineLink<NatsClient>, signal: AbortSignal): Promise<void> {
    let done = this.#progress.eventsDone(batch);
    while (done < batch.events.length) {
      const [begin, end] = [done, Math.min(done + WINDOW_EVENTS, batch.events.length)];
      await overLink(
        link,
        this.#patience(signal),
        (client) => this.#writeWindow(link, client, batch, begin, end, signal),
      );
      done = end;
      this.#progress.advance(batch, done);
    }
  }

  async #writeWindow(
    link: EngineLink<NatsClient>,
    client: NatsClient,
    batch: Batch,
    begin: number,
    end: number,
    signal: AbortSignal,
  ): Promise<void> {
    const action = this.#cannot("write to");
    checkSizes(client, batch, action);
    const stream = this.#streams.ensure(client, batch.shard, action);
    await this.#wait(link, client, stream, action, signal);
    const subject = this.#streams.subjectOf(batch.shard);
    const target = { subject, action, redact: this.#settings.redact };
    const { acknowledged, cancel } = publishWindow(client, batch, begin, end, target);
    try {
      await this.#wait(link, client, acknowledged, action, signal);
    } catch (error) {
      cancel();
      // It may have been removed; the next attempt looks.
      this.#streams.forget(batch.shard);
      throw error;
    }
  }

  async #wait<Value>(
    link: EngineLink<NatsClient>,
    client: NatsClient,
    work: Promise<Value>,
    action: string,
    signal: AbortSignal,
  ): Promise<Value> {
    try {
      return await withinDeadline(work, {
        clock: this.#clock,
        timeoutMs: this.#settings.requestTimeoutMs,
        signal,
        action,
        onLate: () => link.giveUp(client),
      });
    } catch (error) {
      const isOver = client.connection.isClosed();
      const known = explainByEnd(natsError(error, action, this.#settings.redact), isOver);
      // Errors that no table knows end a batch; whoever runs the bus has to hear of them.
      if (known.kind === "fatal") this.#log.warn("jetstream_refused", { why: known.message });
      throw known;
    }
  }

  #link(): EngineLink<NatsClient> {
    const action = this.#cannot("connect to");
    return new EngineLink({
      clock: this.#clock,
      timeoutMs: this.#settings.connectTimeoutMs,
      action,
      open: (signal) => openNats(this.#settings, action, signal),
    });
  }

  #patience(signal: AbortSignal) {
    return { clock: this.#clock, timeoutMs: this.#settings.connectTimeoutMs, signal };
  }

  #started(): Links {
    if (this.#links !== undefined) return this.#links;
    throw new BusError("fatal", `${this.#cannot("use")}: the adapter is not started`);
  }

  #cannot(what: string): string {
    return `Cannot ${what} NATS at ${this.#settings.place}`;
  }
}
