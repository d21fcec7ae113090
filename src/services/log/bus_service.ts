/**
 * The event bus of a node (`storage.md` 2): made when it is first used, over the node's own log or a server that
 * the user runs. A server is connected to when the node starts, so that a wrong address shows at once.
 */
import {
  type Clock,
  idToHex,
  NetError,
  type RandomBytes,
  STOPPING_NEXT,
  toNetError,
} from "../../base/mod.ts";
import type { BusEngine } from "../../config/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import {
  type BackpressureMode,
  type BusAdapter,
  BusError,
  createEventBus,
  createJetStreamAdapter,
  createLogAdapter,
  createNoopAdapter,
  createRedisAdapter,
  type EventBus,
} from "../../log/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import { BUS_RETRIES, BUS_STOP_MS, BUS_URL_BYTES_MAX } from "./limits.ts";
import { type BusFeedLink, BusFeeds, type FeedView } from "./bus_feeds.ts";
import type { LogService } from "./log_service.ts";
import { type LogDefaults, toRedexConfig } from "./rules.ts";

/** What {@linkcode BusService} needs. */
export interface BusServiceDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly logs: Pick<LogService, "redex" | "isOnDisk">;
  /** The mesh's transport; it runs when the service starts. */
  readonly mesh: { readonly transport: BusFeedLink };
  /** Makes a session with a node where there is none. */
  readonly reach: (peer: bigint, signal: AbortSignal) => Promise<void>;
  /** Reads the file that an address comes from. */
  readonly readFile: (path: string, bytesMax: number) => Promise<Uint8Array>;
  /** Aborted when the node begins to stop, before its services do. */
  readonly stopSignal?: AbortSignal;
}

/** How the bus is run. */
export interface BusSettings {
  readonly engine: BusEngine;
  /** Address of the engine, or `@` and a file's path; a secret. */
  readonly url: string | undefined;
  /** Node that gets the events, with the engine `mesh`. */
  readonly peer: bigint | undefined;
  /** Nodes whose buses feed this one. */
  readonly accept: readonly bigint[] | "any";
  /** One for each processor when left out. */
  readonly shards: number | undefined;
  readonly full: BackpressureMode | undefined;
  /** How the log's channels are kept. */
  readonly defaults: LogDefaults;
}

/** What became of events that were given to the bus. */
export interface Published {
  readonly taken: number;
  /** Not taken, because the ring was full or thinned out. */
  readonly refused: number;
}

/** Looks at the engine's health at most so often. */
const HEALTH_MS = 10_000;
const HEALTH_TIMEOUT_MS = 2_000;

/** The bus of a node. */
export class BusService implements Service {
  readonly name = "bus";
  readonly #deps: BusServiceDeps;
  readonly #settings: BusSettings;
  readonly #feeds: BusFeeds;
  #bus: Promise<EventBus> | undefined;
  #adapter: BusAdapter | undefined;
  #failure: string | undefined;
  #cancelHealth: () => void = () => {};
  #ending = new AbortController();

  constructor(deps: BusServiceDeps, settings: BusSettings) {
    this.#deps = deps;
    this.#settings = settings;
    this.#feeds = new BusFeeds(deps, settings);
  }

  get engine(): BusEngine {
    return this.#settings.engine;
  }

  /** Whom the bus feeds, and who feeds it. */
  get feed(): FeedView {
    return this.#feeds.view();
  }

  /** What readers of the bus wait by. */
  get clock(): Clock {
    return this.#deps.clock;
  }

  /** Aborted when the service, or the node, begins to stop. */
  get stopSignal(): AbortSignal {
    const { stopSignal } = this.#deps;
    const own = this.#ending.signal;
    return stopSignal === undefined ? own : AbortSignal.any([own, stopSignal]);
  }

  /**
   * Looks at the settings; a server is connected to behind that.
   *
   * @throws BusError `config` when the address of a server can't be used.
   */
  async start(): Promise<void> {
    this.#ending = new AbortController();
    this.#feeds.start();
    if (!this.#isServer && !this.#feeds.isUsed) return;
    // What the user has written is wrong now and for ever. Whether the server is up shows in the node's health.
    await this.#createAdapter();
    this.open().catch(() => {});
    this.#watchHealth();
  }

  /** Hands over what is waiting, within a bound: the log behind the bus needs time to close too. */
  async stop(): Promise<void> {
    this.#ending.abort(new NetError("draining", "The node stops", { next: STOPPING_NEXT }));
    this.#cancelHealth();
    this.#feeds.stop();
    const opening = this.#bus;
    this.#bus = undefined;
    this.#adapter = undefined;
    if (opening === undefined) return;
    let open: EventBus | undefined;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#deps.clock.after(BUS_STOP_MS, resolve);
    const ending = opening.then(async (bus) => {
      open = bus;
      await bus.shutdown();
    }).catch(() => {});
    await Promise.race([ending, late]);
    cancel();
    open?.abandon();
  }

  health(): ServiceHealth {
    return this.#failure === undefined
      ? { state: "healthy" }
      : { state: "degraded", detail: this.#failure };
  }

  /**
   * The bus, made when it is first asked for; tried again when that failed.
   *
   * @throws BusError `config`, `transient` when the server can't be reached, `fatal`.
   */
  async open(): Promise<EventBus> {
    if (this.#ending.signal.aborted) throw this.#ending.signal.reason;
    const opening = this.#bus ??= this.#create();
    try {
      const bus = await opening;
      this.#failure = undefined;
      return bus;
    } catch (error) {
      if (this.#bus === opening) this.#bus = undefined;
      this.#fail(error);
      throw error;
    }
  }

  /**
   * Gives events to the bus.
   *
   * @param options.isPatient Waits for room instead of having events refused.
   * @param options.isFlushed Waits until the engine has them, and all that came before.
   */
  async publish(
    events: readonly Uint8Array[],
    options: { readonly isPatient?: boolean; readonly isFlushed?: boolean } = {},
  ): Promise<Published> {
    const bus = await this.open();
    let taken = 0;
    let refused = 0;
    for (const event of events) {
      if (await this.#ingest(bus, event, options.isPatient ?? false)) taken += 1;
      else refused += 1;
    }
    if (options.isFlushed) await bus.flush();
    return { taken, refused };
  }

  /** False when it was not taken. */
  async #ingest(bus: EventBus, event: Uint8Array, isPatient: boolean): Promise<boolean> {
    try {
      bus.ingestRaw(event);
      return true;
    } catch (error) {
      const isFull = error instanceof BusError &&
        (error.kind === "backpressure" || error.kind === "sampled");
      if (!isFull) throw error;
      if (!isPatient || error.kind === "sampled") return false;
    }
    await bus.flush();
    return await this.#ingest(bus, event, false);
  }

  get #isServer(): boolean {
    return this.engine === "redis" || this.engine === "jetstream";
  }

  async #create(): Promise<EventBus> {
    const { clock, random, log, metrics } = this.#deps;
    const { shards, full } = this.#settings;
    const adapter = await this.#createAdapter();
    const bus = await createEventBus({ clock, random, adapter, log, metrics }, {
      shards,
      backpressure: full,
      adapterRetries: BUS_RETRIES,
    });
    this.#adapter = adapter;
    return bus;
  }

  async #createAdapter(): Promise<BusAdapter> {
    return this.#feeds.around(await this.#createEngine());
  }

  async #createEngine(): Promise<BusAdapter> {
    const { clock, log, logs } = this.#deps;
    const { engine, defaults } = this.#settings;
    switch (engine) {
      case "log":
      case "mesh":
        return createLogAdapter(logs.redex, {
          channels: toRedexConfig("bus/", undefined, defaults, logs.isOnDisk),
        });
      case "noop":
        return createNoopAdapter();
      case "redis":
        return createRedisAdapter({ url: await this.#readUrl() }, { clock, log });
      case "jetstream":
        return createJetStreamAdapter({ url: await this.#readUrl() }, { clock, log });
    }
  }

  async #readUrl(): Promise<string> {
    const { url = "" } = this.#settings;
    if (!url.startsWith("@")) return url;
    try {
      const bytes = await this.#deps.readFile(url.slice(1), BUS_URL_BYTES_MAX);
      return new TextDecoder().decode(bytes).trim();
    } catch (error) {
      throw new BusError(
        "config",
        `Cannot read the address of the bus engine from "${url.slice(1)}": ${
          toNetError(error, "it").message
        }`,
        { cause: error, next: "check the file that --bus-url or NET_BUS_URL names" },
      );
    }
  }

  get #engineText(): string {
    const { engine, peer } = this.#settings;
    return engine === "mesh" && peer !== undefined
      ? `the node that gets the bus's events, ${idToHex(peer)}`
      : `the bus engine ${engine}`;
  }

  #fail(error: unknown): void {
    if (this.#ending.signal.aborted) return;
    const { message } = toNetError(error, "Cannot use the bus");
    if (message !== this.#failure) this.#deps.log.warn("bus_unavailable", { reason: message });
    this.#failure = message;
  }

  #watchHealth(): void {
    this.#cancelHealth = this.#deps.clock.after(HEALTH_MS, () => {
      void this.#look().finally(() => {
        if (!this.#ending.signal.aborted) this.#watchHealth();
      });
    });
  }

  async #look(): Promise<void> {
    const adapter = this.#adapter;
    if (adapter === undefined) {
      await this.open().catch(() => {});
      return;
    }
    const timeout = new AbortController();
    const cancel = this.#deps.clock.after(HEALTH_TIMEOUT_MS, () => timeout.abort());
    try {
      const isHealthy = await adapter.isHealthy(timeout.signal);
      if (isHealthy) this.#failure = undefined;
      else this.#fail(new BusError("transient", `Cannot reach ${this.#engineText}`));
    } catch (error) {
      this.#fail(error);
    } finally {
      cancel();
    }
  }
}
