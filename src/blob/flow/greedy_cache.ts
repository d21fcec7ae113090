/**
 * Greedy caching (`dataforts.md` 17): events of channels pass by, and the blobs that they refer to are pulled
 * before anybody here asks for them, as far as the rules and the budget let. What is kept is held per channel;
 * channels go as a whole, the coldest first.
 *
 * Only the blobs are kept, not the events: a log of a channel is another part's business.
 */
import { type Clock, fromHex, NetError, toHex } from "../../base/mod.ts";
import { type BlobRef, type ChunkRef, decodeBlobRef, isBlobRef } from "../blob_ref.ts";
import { HASH_BYTES, TREE_NODE_BYTES_MAX } from "../limits.ts";
import {
  type BandwidthBucket,
  type DataPolicy,
  type GreedyMetrics,
  type GreedyView,
  greedyWarmth,
  type LocalData,
  observeGreedy,
  readDataClaims,
  refusePull,
  WarmCache,
} from "../policy/mod.ts";
import { walkTreeChunks } from "../tree/tree_walk.ts";
import { CACHED_CHANNELS_MAX, CHANNEL_CHUNKS_MAX } from "./limits.ts";
import { nearnessOf, placeOf } from "./place.ts";
import type { FlowMesh, FlowStore } from "./ports.ts";
import type { PullQueue } from "./pull_queue.ts";
import { chunksNamedBy, type SizeBook } from "./size_book.ts";

/** What {@linkcode GreedyCache} needs. */
export interface GreedyCacheDeps {
  readonly clock: Clock;
  readonly store: FlowStore;
  readonly mesh: FlowMesh;
  readonly pulls: PullQueue;
  readonly sizes: SizeBook;
  readonly bucket: BandwidthBucket;
  readonly policy: () => DataPolicy;
  readonly local: () => LocalData;
  readonly view: GreedyView;
  readonly metrics: GreedyMetrics;
}

/** An event of a channel. */
export interface PassingEvent {
  readonly channel: string;
  /** Who published it, not who passed it on (row 49). */
  readonly publisher: bigint;
  readonly payload: Uint8Array;
}

interface CachedChannel {
  /** Sizes of the chunks held, by hash in hex, the oldest first. */
  readonly chunks: Map<string, number>;
  reads: number;
  readAtMs: number;
  nearness: number;
}

const OWNER = "greedy:";
/** Chunks of one blob that are pulled at a time: other blobs have their turn too. */
const CHUNKS_AT_A_TIME = 2;
const REST_MS = 60_000;

/** The blobs of channels that one node keeps. */
export class GreedyCache {
  readonly #deps: GreedyCacheDeps;
  readonly #cache: WarmCache;
  readonly #channels = new Map<string, CachedChannel>();
  /** Channel of each chunk held. */
  readonly #owners = new Map<string, string>();
  #observing = 0;
  #stop = new AbortController();

  constructor(deps: GreedyCacheDeps) {
    this.#deps = deps;
    this.#cache = new WarmCache(
      this.#options(),
      (channel, nowMs) => this.#warmthOf(channel, nowMs),
    );
  }

  /** Channels that are kept. */
  get size(): number {
    return this.#cache.size;
  }

  get bytes(): number {
    return this.#cache.bytes;
  }

  /** True for a chunk that is kept for a channel. */
  has(hex: string): boolean {
    return this.#owners.has(hex);
  }

  /** Reads what was kept before a restart. */
  async load(): Promise<void> {
    const { store, clock } = this.#deps;
    for (const { hash, owner, size } of await store.heldBy(OWNER)) {
      const channel = owner.slice(OWNER.length);
      if (size === undefined) await store.release(owner, [hash]);
      else if (this.#cache.admit(channel, size, clock.now()).isAdmitted) {
        this.#note(channel, toHex(hash), size, 1);
      }
    }
    this.#showBytes();
  }

  /** Looks at an event; resolves when what follows from it is over, and never rejects. */
  async observe(event: PassingEvent): Promise<void> {
    const { policy, metrics, sizes } = this.#deps;
    if (!isBlobRef(event.payload)) return;
    const decoded = decodeBlobRef(event.payload);
    if (!decoded.ok) return;
    // Gravity goes by it too.
    sizes.note(decoded.ref);
    const { greedy } = policy();
    if (!greedy.isEnabled) return;
    if (this.#observing >= greedy.observersMax) {
      metrics.observersDropped += 1;
      return;
    }
    this.#observing += 1;
    try {
      await this.#take(event, decoded.ref);
    } catch {
      metrics.prefetches.err += 1;
    } finally {
      this.#observing -= 1;
    }
  }

  /** A chunk was read or served from here. */
  touch(hex: string): void {
    const name = this.#owners.get(hex);
    const channel = name === undefined ? undefined : this.#channels.get(name);
    if (name === undefined || channel === undefined) return;
    const nowMs = this.#deps.clock.now();
    channel.reads = this.#heatOf(channel, nowMs) + 1;
    channel.readAtMs = nowMs;
    this.#cache.touch(name);
    const counters = this.#deps.metrics.channel(name);
    counters.cacheHits += 1;
    counters.serves += 1;
  }

  /** The copy of a chunk is gone from here. */
  forget(hex: string): void {
    const name = this.#owners.get(hex);
    const channel = name === undefined ? undefined : this.#channels.get(name);
    const hash = fromHex(hex, HASH_BYTES);
    if (name === undefined || channel === undefined || hash === undefined) return;
    this.#unhold(name, channel, hex);
    void this.#deps.store.release(OWNER + name, [hash]).catch(() => {}); // It runs out with its chunk.
  }

  /** The policy has changed; switched off, pulls end and nothing is kept for the cache's sake any more. */
  async configure(): Promise<void> {
    const { policy, clock } = this.#deps;
    if (!policy().greedy.isEnabled) {
      this.#stop.abort();
      this.#stop = new AbortController();
    }
    await this.#evict(this.#cache.configure(this.#options(), clock.now()));
    this.#showBytes();
  }

  /** Gives so many bytes up, as far as it has them; the disk is full. */
  async shed(bytes: number): Promise<number> {
    const before = this.#cache.bytes;
    const mostBytes = Math.max(0, before - bytes);
    await this.#evict(this.#cache.shrink(this.#deps.clock.now(), mostBytes));
    return before - this.#cache.bytes;
  }

  /** Ends what is under way. */
  stop(): void {
    this.#stop.abort();
  }

  async #take(event: PassingEvent, ref: BlobRef): Promise<void> {
    const { policy, local, mesh, metrics, view, bucket, clock } = this.#deps;
    const { signal } = this.#stop;
    const publisher = mesh.peer(event.publisher);
    const tags = publisher?.tags ?? [];
    const place = placeOf(tags);
    const mine = local();
    const refusal = refusePull(mine, { claims: readDataClaims(tags), place });
    if (refusal !== undefined) {
      metrics.pullsRejected[refusal] += 1;
      return;
    }
    const { greedy } = policy();
    const bytes = event.payload.length + Number(ref.size);
    this.#warmUp(event.channel, nearnessOf(mine.place ?? {}, place, undefined, 1));
    const verdict = observeGreedy(
      {
        channel: event.channel,
        payloadBytes: bytes,
        labels: labelsOf(tags),
        rttMs: publisher?.rttMs,
      },
      greedy,
      view,
      { cache: this.#cache, bucket },
      clock.now(),
    );
    metrics.ioBudgetUsedBytes = bucket.usedAt(clock.now());
    if (!verdict.isAdmitted) {
      metrics.admitRejected[verdict.reason] += 1;
      if (this.#cache.bytesOf(event.channel) === undefined) this.#channels.delete(event.channel);
      return;
    }
    metrics.pullsAdmitted += 1;
    await this.#evict(verdict.evicted);
    await this.#pullAll(event, ref, signal);
  }

  async #pullAll(event: PassingEvent, ref: BlobRef, signal: AbortSignal): Promise<void> {
    const { metrics } = this.#deps;
    const chunks = this.#chunksOf(event, ref, signal);
    let failed = 0;
    const worker = async () => {
      for await (const chunk of chunks) {
        const isHere = await this.#pull(event, chunk, signal);
        if (isHere && !signal.aborted) await this.#hold(event.channel, chunk);
        if (!isHere) failed += 1;
        if (signal.aborted) return;
      }
    };
    try {
      await Promise.all(Array.from({ length: CHUNKS_AT_A_TIME }, worker));
    } catch (error) {
      // A node of a tree is nowhere to be had, or is none.
      if (!(error instanceof NetError)) throw error;
      failed += 1;
    }
    metrics.prefetches[failed === 0 && !signal.aborted ? "ok" : "err"] += 1;
    this.#resync(event.channel);
  }

  async #pull(
    event: PassingEvent,
    { hash, size: sizeBytes }: ChunkRef,
    signal: AbortSignal,
  ): Promise<boolean> {
    const pull = { hash, sizeBytes, sources: [event.publisher], signal };
    const outcome = await this.#deps.pulls.pull(pull);
    return outcome === "stored" || outcome === "present";
  }

  /** Every chunk of a blob; those of a tree follow from its nodes, which are chunks too. */
  async *#chunksOf(
    event: PassingEvent,
    ref: BlobRef,
    signal: AbortSignal,
  ): AsyncGenerator<ChunkRef, void, undefined> {
    if (ref.kind !== "tree") {
      yield* chunksNamedBy(ref);
      return;
    }
    const { store } = this.#deps;
    const nodes: ChunkRef[] = [];
    const walk = walkTreeChunks(ref, {
      readNode: async (hash) => {
        const node = { hash, size: TREE_NODE_BYTES_MAX };
        return await this.#pull(event, node, signal) ? await store.read(hash) : undefined;
      },
      onNode: (hash, bytes) => void nodes.push({ hash: hash.slice(), size: bytes.length }),
      signal,
    });
    for await (const { chunk } of walk) {
      yield* nodes.splice(0);
      yield chunk;
    }
    yield* nodes.splice(0);
  }

  async #hold(channel: string, { hash, size }: ChunkRef): Promise<void> {
    const { store } = this.#deps;
    // Evicted while it was pulled: then it is kept no longer than others.
    const cached = this.#channels.get(channel);
    if (cached === undefined || this.#cache.bytesOf(channel) === undefined) return;
    const hex = toHex(hash);
    if (this.#owners.has(hex)) return;
    this.#note(channel, hex, size, cached.nearness);
    await store.hold([hash], { reason: "cache", owner: OWNER + channel });
    while (cached.chunks.size > CHANNEL_CHUNKS_MAX) {
      const [oldest] = cached.chunks.keys();
      if (oldest === undefined) break;
      this.#unhold(channel, cached, oldest);
      await this.#discard(channel, [oldest]);
    }
  }

  #note(name: string, hex: string, size: number, nearness: number): void {
    const channel = this.#warmUp(name, nearness);
    channel.chunks.set(hex, size);
    this.#owners.set(hex, name);
  }

  #warmUp(name: string, nearness: number): CachedChannel {
    const known = this.#channels.get(name);
    if (known !== undefined) {
      known.nearness = Math.max(known.nearness, nearness);
      return known;
    }
    const channel = { chunks: new Map(), reads: 1, readAtMs: this.#deps.clock.now(), nearness };
    this.#channels.set(name, channel);
    return channel;
  }

  #unhold(name: string, channel: CachedChannel, hex: string): void {
    channel.chunks.delete(hex);
    this.#owners.delete(hex);
    this.#resync(name);
  }

  /** The cache counts what is really held, not what was announced. */
  #resync(name: string): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    const bytes = [...channel.chunks.values()].reduce((sum, size) => sum + size, 0);
    this.#cache.resync(name, bytes);
    this.#deps.metrics.channel(name).bytesResident = bytes;
  }

  async #evict(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const hexes = [...this.#channels.get(name)?.chunks.keys() ?? []];
      this.#channels.delete(name);
      for (const hex of hexes) this.#owners.delete(hex);
      const counters = this.#deps.metrics.channel(name);
      counters.evictions += 1;
      counters.bytesResident = 0;
      await this.#discard(name, hexes);
    }
  }

  async #discard(name: string, hexes: readonly string[]): Promise<void> {
    const { store } = this.#deps;
    for (const hex of hexes) {
      const hash = fromHex(hex, HASH_BYTES);
      if (hash === undefined) continue;
      await store.release(OWNER + name, [hash]);
      await store.discard(hash);
    }
  }

  #warmthOf(name: string, nowMs: number): number {
    const channel = this.#channels.get(name);
    if (channel === undefined) return 0;
    return greedyWarmth(this.#heatOf(channel, nowMs), channel.nearness, undefined, 1);
  }

  #heatOf({ reads, readAtMs }: CachedChannel, nowMs: number): number {
    return reads * 0.5 ** ((nowMs - readAtMs) / this.#deps.policy().gravity.chainHalfLifeMs);
  }

  #options() {
    const { greedy } = this.#deps.policy();
    return {
      capBytes: greedy.isEnabled ? greedy.totalCapBytes : 0,
      entryCapBytes: greedy.perChannelCapBytes,
      entriesMax: CACHED_CHANNELS_MAX,
      restMs: REST_MS,
    };
  }

  #showBytes(): void {
    for (const name of this.#channels.keys()) this.#resync(name);
  }
}

const LABEL = "scope:";

/** Labels of scope tags: `tenant:acme`, `region:eu`, and the names alone. */
function labelsOf(tags: readonly string[]): string[] {
  return tags.filter((tag) => tag.startsWith(LABEL)).flatMap((tag) => {
    const label = tag.slice(LABEL.length);
    const colon = label.indexOf(":");
    return colon < 0 ? [label] : [label, label.slice(colon + 1)];
  });
}
