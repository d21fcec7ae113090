/**
 * The adapters of a node: stores beside its own that blobs can be copied to and from, and through which references
 * on channels are published and read (`dataforts.md` 8, `promises.md` 47 and 48).
 *
 * One that cannot be opened is listed with what is wrong, and the others work. Programs add their own, each call of
 * which has a deadline.
 */
import { type Clock, NetError, type RandomBytes, toNetError } from "../../base/mod.ts";
import {
  AdapterRegistry,
  BLOB_BYTES_MAX,
  type BlobAdapter,
  type BlobSink,
  type BlobStore,
  type BlobTarget,
  boundAdapter,
  ChannelAdapters,
  createMeshAdapter,
  createNoopAdapter,
  createS3Adapter,
  describeTarget,
  encodeBlobRef,
  formatAddress,
  formatMeshUri,
  openFileAdapter,
  parseAddress,
  readPayload,
  readS3Credentials,
  S3Adapter,
  type SmallRef,
  type StoredBlob,
  storeFrom,
  streamFrom,
  streamSource,
} from "../../blob/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import type { LogService } from "../log/mod.ts";
import {
  ADAPTER_CHANNELS_MAX,
  type AdapterMemory,
  type AdapterSpec,
  ADDED_ADAPTERS_MAX,
  type KeptAdapters,
} from "./adapter_memory.ts";
import type { BlobService } from "./blob_service.ts";

/** What {@linkcode AdapterService} needs. */
export interface AdapterServiceDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly memory: AdapterMemory;
  readonly store: BlobStore;
  readonly blobs: Pick<BlobService, "getInto">;
  readonly logs: Pick<LogService, "read" | "append">;
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

/** A blob that was copied to an adapter. */
export interface PushedBlob {
  readonly uri: string;
  /** The encoded reference, for channels. */
  readonly blobRef: Uint8Array;
  readonly address: string;
}

/** The adapter over the node's own store. */
export const OWN_ADAPTER_ID = "mesh";

/** Time a node has for other things before it looks for what calls left behind in stores. */
const SWEEP_DELAY_MS = 60_000;

interface Entry {
  readonly spec: AdapterSpec | undefined;
  readonly adapter: BlobAdapter | undefined;
  readonly error: NetError | undefined;
}

/** Adapters of a node. */
export class AdapterService implements Service {
  readonly name = "adapters";
  readonly registry = new AdapterRegistry();
  readonly channels = new ChannelAdapters(this.registry);
  readonly #deps: AdapterServiceDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #choices = new Map<string, string>();
  readonly #stopped = new AbortController();
  #changing: Promise<unknown> = Promise.resolve();
  #cancelSweep = () => {};

  constructor(deps: AdapterServiceDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { clock, log, memory, metrics, store } = this.#deps;
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
    metrics.register("adapters", () => this.#counters());
    this.#cancelSweep = clock.after(SWEEP_DELAY_MS, () => void this.#sweep());
  }

  async stop(): Promise<void> {
    this.#cancelSweep();
    this.#stopped.abort(new NetError("draining", "The node stops"));
    await this.#changing;
  }

  health(): ServiceHealth {
    const failed = this.list().filter(({ error }) => error !== undefined).map(({ id }) => id);
    if (failed.length === 0) return { state: "healthy" };
    return { state: "degraded", detail: `adapters that cannot be used: ${failed.join(", ")}` };
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
      return this.#view(spec.id);
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
      if (id !== undefined) this.#require(id);
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

  /**
   * Stores, reads and removes a few bytes; how long that took, in seconds.
   *
   * @throws NetError of the adapter, `integrity` when it gives other bytes than it got.
   */
  async check(id: string, signal?: AbortSignal): Promise<{ readonly seconds: number }> {
    const { clock, random } = this.#deps;
    const adapter = this.#require(id);
    const startedAt = clock.now();
    const bytes = random(64);
    const ref = smallRef(adapter, blake3(bytes), bytes.length);
    await adapter.store(ref, bytes, { signal });
    if (this.#entries.get(id)?.spec?.kind !== "noop") {
      const back = await adapter.fetch(ref, { signal });
      if (back.toHex() !== bytes.toHex()) {
        throw new NetError(
          "integrity",
          `Cannot use adapter "${id}": it gives other bytes than it got`,
        );
      }
    }
    await adapter.delete(ref, { signal });
    return { seconds: (clock.now() - startedAt) / 1000 };
  }

  /**
   * Copies a blob of this node or of the mesh to an adapter, as one piece.
   *
   * @throws NetError `not_found`, `limit` above 16 GiB; of the adapter.
   */
  async push(id: string, target: BlobTarget, signal?: AbortSignal): Promise<PushedBlob> {
    const adapter = this.#require(id);
    const record = await this.#deps.store.stat(hashOf(target));
    if (record?.kind === "directory") {
      throw new NetError("usage", `Cannot copy ${describeTarget(target)}: it is a folder`, {
        next: "copy its files one by one",
      });
    }
    // Known here, a blob is named by its whole hash whatever it was asked for by.
    const hash = record?.address ?? hashOf(target);
    if (id === OWN_ADAPTER_ID && record !== undefined) {
      const { blobRef } = record;
      return { uri: formatMeshUri(hash), blobRef, address: formatAddress(hash) };
    }
    const size = record === undefined ? 0 : Number(record.size);
    if (size > BLOB_BYTES_MAX) {
      throw new NetError(
        "limit",
        `Cannot copy blob: it has ${size} bytes, at most ${BLOB_BYTES_MAX} go`,
      );
    }
    const ref = smallRef(adapter, hash, size);
    await this.#stream(
      target,
      (source, ended) => storeFrom(adapter, ref, source, { signal: ended }),
      signal,
    );
    return { uri: ref.uri, blobRef: encodeBlobRef(ref), address: formatAddress(hash) };
  }

  /**
   * Copies a blob to the adapter of a channel, and appends its reference to the channel's log. A failure before that
   * leaves the blob in the store and nothing published.
   *
   * @throws NetError as {@linkcode AdapterService.push}; `config_invalid` for a channel without an adapter; what the
   * log throws.
   */
  async publish(
    channel: string,
    target: BlobTarget,
    signal?: AbortSignal,
  ): Promise<PushedBlob & { readonly seq: bigint }> {
    const chosen = this.#choices.get(channel);
    // One that was chosen and is broken says itself what is wrong with it.
    const { id } = chosen === undefined
      ? this.channels.publisherOf(channel)
      : this.#require(chosen);
    const pushed = await this.push(id, target, signal);
    const { first } = await this.#deps.logs.append(channel, [pushed.blobRef], { isDurable: true });
    return { ...pushed, seq: first };
  }

  /**
   * Copies a blob from an adapter into this node's store, by the hash of the whole.
   *
   * @throws NetError of the adapter, `no_space`. Nothing is kept then.
   */
  async pull(id: string, hash: Uint8Array, signal?: AbortSignal): Promise<StoredBlob> {
    const adapter = this.#require(id);
    const ref = smallRef(adapter, hash, 0);
    const source = streamSource(ReadableStream.from(streamFrom(adapter, ref, { signal })));
    try {
      // A stream ends with an error when the whole was not right, and then nothing is recorded.
      const stored = await this.#deps.store.put(source, { signal });
      if (stored.hash.toHex() === hash.toHex()) return stored;
      await this.#deps.store.remove(stored.hash);
      throw new NetError(
        "integrity",
        `Cannot copy ${formatAddress(hash)}: adapter "${id}" gave another`,
      );
    } finally {
      await source.close();
    }
  }

  /**
   * The bytes of an event of a log: its payload as it is, or what it refers to, through the adapter of the
   * reference's scheme.
   *
   * @throws NetError `not_found` for an event that is not there; of the adapter.
   */
  async resolveAt(channel: string, seq: bigint, signal?: AbortSignal): Promise<ResolvedEvent> {
    const event = await this.#deps.logs.read(channel, seq);
    if (event === undefined) {
      throw new NetError(
        "not_found",
        `Cannot resolve event ${seq} of "${channel}": there is none`,
        {
          next: "net log read says which events there are",
        },
      );
    }
    const ref = readPayload(event.payload);
    const bytes = await this.channels.resolve(channel, event.payload, { signal });
    return { bytes, uri: ref?.uri };
  }

  async #stream(
    target: BlobTarget,
    store: (source: ReturnType<typeof streamSource>, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const failed = new AbortController();
    const signals = [
      failed.signal,
      this.#stopped.signal,
      ...(signal === undefined ? [] : [signal]),
    ];
    const ended = AbortSignal.any(signals);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    writer.closed.catch(() => {}); // Both sides tell below.
    const sink: BlobSink = {
      write: (bytes) => writer.write(bytes),
      commit: () => writer.close(),
      discard: () => Promise.resolve(),
    };
    const source = streamSource(readable);
    const stored = store(source, ended).finally(() => source.close());
    stored.catch((error) => failed.abort(error));
    try {
      await this.#deps.blobs.getInto(target, () => Promise.resolve(sink), { signal: ended });
    } catch (error) {
      await writer.abort(error).catch(() => {});
      await stored.catch(() => {});
      throw failed.signal.aborted ? failed.signal.reason : error;
    }
    await stored;
  }

  async #open(spec: AdapterSpec): Promise<Entry> {
    try {
      return { spec, adapter: await this.#make(spec), error: undefined };
    } catch (error) {
      const failure = toNetError(error, `Cannot open adapter "${spec.id}"`);
      return { spec, adapter: undefined, error: failure };
    }
  }

  async #make(spec: AdapterSpec): Promise<BlobAdapter> {
    const { clock, random, readEnv } = this.#deps;
    if (spec.kind === "noop") return createNoopAdapter(spec.id);
    if (spec.kind === "file") {
      return await openFileAdapter({ id: spec.id, folder: spec.folder, clock });
    }
    const { id, bucket, region, endpoint, path_style: isPathStyle, prefix, profile } = spec;
    return createS3Adapter({
      id,
      place: { bucket, region, endpoint, isPathStyle: isPathStyle ?? endpoint !== undefined },
      prefix,
      credentials: () =>
        readS3Credentials({
          file: spec.credentials,
          profile,
          env: readEnv(),
          readFile: (path) => Deno.readTextFile(path),
        }),
      clock,
      random,
    });
  }

  #applyChoices(): void {
    for (const [channel, adapterId] of this.#choices) {
      // One that cannot be used is told of when somebody publishes.
      if (this.#entries.get(adapterId)?.adapter === undefined) continue;
      this.channels.choose(channel, { adapterId });
    }
  }

  #require(id: string): BlobAdapter {
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

  #view(id: string): AdapterView {
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

  async #sweep(): Promise<void> {
    for (const { adapter } of this.#entries.values()) {
      try {
        const removed = await adapter?.sweep?.({ signal: this.#stopped.signal }) ?? 0;
        if (removed > 0) this.#deps.log.info("adapter_swept", { id: adapter?.id, removed });
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        const { message } = toNetError(error, "Cannot sweep");
        this.#deps.log.warn("adapter_sweep_failed", { id: adapter?.id, reason: message });
      }
    }
  }

  #counters(): Record<string, number> {
    const sums = { s3_requests_total: 0, s3_retries_total: 0, s3_failures_total: 0 };
    for (const { adapter } of this.#entries.values()) {
      if (!(adapter instanceof S3Adapter)) continue;
      sums.s3_requests_total += adapter.counters.requests_total;
      sums.s3_retries_total += adapter.counters.retries_total;
      sums.s3_failures_total += adapter.counters.failures_total;
    }
    return { adapters: this.#entries.size, ...sums };
  }
}

/** An event's bytes, and the reference they came by. */
export interface ResolvedEvent {
  readonly bytes: Uint8Array;
  /** `undefined` for a payload that stands for itself. */
  readonly uri: string | undefined;
}

function smallRef(adapter: BlobAdapter, hash: Uint8Array, size: number): SmallRef {
  const [scheme = "mesh"] = adapter.schemes;
  const uri = adapter instanceof S3Adapter ? adapter.uriOf(hash) : `${scheme}://${hash.toHex()}`;
  return { kind: "small", uri, hash, size };
}

function hashOf(target: BlobTarget): Uint8Array {
  if (target.kind === "address" || target.kind === "small") return target.hash;
  const hash = parseAddress(target.uri);
  if (hash !== undefined) return hash;
  throw new NetError("usage", "Cannot find blob: the reference does not name its whole hash", {
    next: "give its b3: address instead",
  });
}

/** Where an adapter keeps blobs. */
function placeOf(spec: AdapterSpec): string {
  if (spec.kind === "noop") return "nowhere";
  if (spec.kind === "file") return spec.folder;
  const at = spec.endpoint === undefined ? "" : ` at ${spec.endpoint}`;
  return `s3://${spec.bucket}/${spec.prefix ?? ""}${at}`;
}
