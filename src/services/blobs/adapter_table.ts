/**
 * Which adapters a node has, and which channel publishes with which; kept over restarts. What is done with them is
 * the service's business.
 */
import { type Clock, NetError, type RandomBytes, toNetError } from "../../base/mod.ts";
import {
  AdapterRegistry,
  type BlobAdapter,
  type BlobStore,
  boundAdapter,
  ChannelAdapters,
  createMeshAdapter,
} from "../../blob/mod.ts";
import type { Log } from "../../observe/mod.ts";
import {
  ADAPTER_CHANNELS_MAX,
  type AdapterMemory,
  type AdapterSpec,
  ADDED_ADAPTERS_MAX,
  type KeptAdapters,
} from "./adapter_memory.ts";
import { openAdapter, placeOf } from "./adapter_opener.ts";

/** What {@linkcode AdapterTable} needs. */
export interface AdapterTableDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly memory: AdapterMemory;
  readonly store: BlobStore;
  /** Variables of the process, for credentials. */
  readonly readEnv: () => Readonly<Record<string, string | undefined>>;
}

/** An adapter as it is shown. */
export interface AdapterView {
  readonly id: string;
  readonly kind: "mesh" | "program" | AdapterSpec["kind"];
  readonly schemes: readonly string[];
  /** Where it keeps blobs, for people. */
  readonly place: string;
  /** What is wrong with it; `undefined` when it was opened. */
  readonly error: string | undefined;
}

/** The adapter over the node's own store. */
export const OWN_ADAPTER_ID = "mesh";

interface Entry {
  readonly spec: AdapterSpec | undefined;
  readonly adapter: BlobAdapter | undefined;
  readonly error: NetError | undefined;
}

/** The table. */
export class AdapterTable {
  readonly registry = new AdapterRegistry();
  readonly channels = new ChannelAdapters(this.registry);
  readonly #deps: AdapterTableDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #choices = new Map<string, string>();
  #changing: Promise<unknown> = Promise.resolve();

  constructor(deps: AdapterTableDeps) {
    this.#deps = deps;
  }

  /** Opens the node's own store and everything that was added before. */
  async load(): Promise<void> {
    const { log, memory, store } = this.#deps;
    const own = createMeshAdapter({ id: OWN_ADAPTER_ID, store });
    this.registry.register(own);
    this.#entries.set(own.id, { spec: undefined, adapter: own, error: undefined });
    const { adapters, channels } = await memory.read();
    for (const spec of adapters) {
      const entry = await this.#open(spec);
      this.#entries.set(spec.id, entry);
      if (entry.adapter !== undefined) this.registry.register(entry.adapter);
      else log.warn("adapter_failed", { id: spec.id, reason: entry.error?.message });
    }
    for (const [channel, id] of Object.entries(channels)) this.#choices.set(channel, id);
    this.#applyChoices();
  }

  /** Resolves when no change is under way. */
  async settled(): Promise<void> {
    await this.#changing;
  }

  /** Those that can be used. */
  get adapters(): readonly BlobAdapter[] {
    return [...this.#entries.values()].flatMap(({ adapter }) =>
      adapter === undefined ? [] : [adapter]
    );
  }

  /** All of them, the node's own first. */
  list(): AdapterView[] {
    return [...this.#entries].map(([id, { spec, adapter, error }]) => ({
      id,
      kind: spec?.kind ?? (id === OWN_ADAPTER_ID ? "mesh" : "program"),
      schemes: adapter?.schemes ?? [],
      place: spec === undefined ? "" : placeOf(spec),
      error: error?.message,
    }));
  }

  /** Ids of adapters by the channel whose blobs are published with them. */
  choices(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#choices);
  }

  /**
   * Adds an adapter and keeps it.
   *
   * @throws NetError `conflict` for an id that is taken, `limit`; what opening it throws.
   */
  add(spec: AdapterSpec): Promise<AdapterView> {
    return this.#change(async () => {
      this.#requireFree(spec.id);
      const entry = await this.#open(spec);
      if (entry.adapter === undefined) throw entry.error;
      this.#entries.set(spec.id, entry);
      try {
        await this.#keep();
      } catch (error) {
        this.#entries.delete(spec.id);
        throw error;
      }
      this.registry.register(entry.adapter);
      return this.view(spec.id);
    });
  }

  /**
   * Adds an adapter of this process's program until the node stops. Each call of it gets a deadline, 30 s when left
   * out.
   *
   * @throws NetError `conflict` for an id that is taken.
   */
  register(adapter: BlobAdapter, options: { readonly deadlineMs?: number } = {}): void {
    this.#requireFree(adapter.id);
    const bound = boundAdapter(adapter, { clock: this.#deps.clock, ...options });
    this.registry.register(bound);
    this.#entries.set(bound.id, { spec: undefined, adapter: bound, error: undefined });
  }

  /**
   * Forgets an adapter; what it stores stays.
   *
   * @throws NetError `not_found`, `usage` for the node's own, `conflict` while a channel publishes with it.
   */
  remove(id: string): Promise<void> {
    return this.#change(async () => {
      const entry = this.#entries.get(id);
      if (entry === undefined) throw this.#unknown(id);
      if (id === OWN_ADAPTER_ID) throw new NetError("usage", "Cannot remove the node's own store");
      const user = [...this.#choices].find(([, chosen]) => chosen === id)?.[0];
      if (user !== undefined) {
        throw new NetError(
          "conflict",
          `Cannot remove adapter "${id}": "${user}" publishes with it`,
          {
            next: `net blob adapter use ${user} --none`,
          },
        );
      }
      this.#entries.delete(id);
      try {
        if (entry.spec !== undefined) await this.#keep();
      } catch (error) {
        this.#entries.set(id, entry);
        throw error;
      }
      this.registry.unregister(id);
    });
  }

  /**
   * Chooses the adapter that the blobs of a channel are published with, or none.
   *
   * @throws NetError `not_found` for an adapter that is not there, `limit`.
   */
  choose(channel: string, id: string | undefined): Promise<void> {
    return this.#change(async () => {
      if (id !== undefined) this.require(id);
      if (
        id !== undefined && !this.#choices.has(channel) &&
        this.#choices.size >= ADAPTER_CHANNELS_MAX
      ) {
        throw new NetError(
          "limit",
          `Cannot choose: ${ADAPTER_CHANNELS_MAX} channels have an adapter`,
        );
      }
      const before = this.#choices.get(channel);
      if (id === undefined) this.#choices.delete(channel);
      else this.#choices.set(channel, id);
      try {
        await this.#keep();
      } catch (error) {
        if (before === undefined) this.#choices.delete(channel);
        else this.#choices.set(channel, before);
        throw error;
      }
      this.channels.choose(channel, id === undefined ? undefined : { adapterId: id });
    });
  }

  async #open(spec: AdapterSpec): Promise<Entry> {
    try {
      return { spec, adapter: await openAdapter(spec, this.#deps), error: undefined };
    } catch (error) {
      const failure = toNetError(error, `Cannot open adapter "${spec.id}"`);
      return { spec, adapter: undefined, error: failure };
    }
  }

  #applyChoices(): void {
    for (const [channel, adapterId] of this.#choices) {
      // One that cannot be used is told of when somebody publishes.
      if (this.#entries.get(adapterId)?.adapter === undefined) continue;
      this.channels.choose(channel, { adapterId });
    }
  }

  /**
   * The adapter of that name.
   *
   * @throws NetError `not_found`, or what is wrong with it.
   */
  require(id: string): BlobAdapter {
    const entry = this.#entries.get(id);
    if (entry?.adapter !== undefined) return entry.adapter;
    throw entry?.error ?? this.#unknown(id);
  }

  #requireFree(id: string): void {
    if (this.#entries.has(id)) {
      throw new NetError("conflict", `Cannot add adapter "${id}": there is one of this name`, {
        next: "take another name, or remove that one first",
      });
    }
    if (this.#entries.size > ADDED_ADAPTERS_MAX) {
      throw new NetError("limit", `Cannot add adapter "${id}": there are ${ADDED_ADAPTERS_MAX}`);
    }
  }

  /** @throws NetError `not_found`. */
  view(id: string): AdapterView {
    const view = this.list().find((adapter) => adapter.id === id);
    if (view === undefined) throw this.#unknown(id);
    return view;
  }

  #unknown(id: string): NetError {
    return new NetError("not_found", `Cannot use adapter "${id}": there is none of this name`, {
      next: `there are ${[...this.#entries.keys()].join(", ")}; add one with net blob adapter add`,
    });
  }

  async #keep(): Promise<void> {
    const adapters = [...this.#entries.values()].flatMap(({ spec }) =>
      spec === undefined ? [] : [spec]
    );
    const kept: KeptAdapters = { adapters, channels: this.choices() };
    await this.#deps.memory.write(kept);
  }

  /** One change after the other: each writes all of the record. */
  #change<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#changing.then(change);
    this.#changing = changed.catch(() => {});
    return changed;
  }
}
