/**
 * The event bus: takes events in without waiting, hands them to an adapter in batches, and gives them back to
 * whoever polls (`storage.md` 2).
 *
 * Taking an event in is synchronous and makes no promise: hash, choose the shard, copy into its ring. That is why
 * no intake is ever on its way when a bus shuts down. An adapter that has to be waited for gets nothing while a
 * producer does not let go of the event loop: one that pushes more than a ring holds in one go meets the
 * backpressure mode.
 */
import { xxh3Bucket } from "../../core/crypto/mod.ts";
import { silentLog } from "../../observe/mod.ts";
import type { EventBusDeps } from "./bus.ts";
import { BusStatsView } from "./bus_stats.ts";
import type { BusConfig } from "./config.ts";
import { withTimeout } from "./dispatch.ts";
import { endAdapter, flushShards, isDoneWithin } from "./ending.ts";
import { BusError } from "./error.ts";
import { EVENT_BYTES_MAX, SHUTDOWN_DRAIN_MS, SHUTDOWN_SECOND_MS } from "./limits.ts";
import { pollShards } from "./poll.ts";
import { Scaler } from "./scaler.ts";
import { type PushResult, Shard, type ShardDeps } from "./shard.ts";
import type { BusStats, EventBus, Ingested, PollRequest, PollResponse } from "./types.ts";

const ENCODER = new TextEncoder();
/** Numbers of a later life are higher as long as fewer than 2^20 events a millisecond were sent in the earlier one. */
const SEQUENCE_BITS_PER_MS = 20n;
const U64_END = 1n << 64n;

/** A bus over shards that come and go. */
export class ShardedBus implements EventBus {
  readonly #deps: EventBusDeps;
  readonly #config: BusConfig;
  readonly #shardDeps: ShardDeps;
  readonly #shards = new Map<number, Shard>();
  readonly #scaler: Scaler;
  readonly #stats: BusStatsView;
  readonly #eventBytesMax: number;
  readonly #ending = new AbortController();
  #isOpen = true;
  #closing: Promise<void> | undefined;
  #pushMs = 0;
  #pushes = 0;

  constructor(deps: EventBusDeps, config: BusConfig, producerNonce: bigint) {
    this.#deps = deps;
    this.#config = config;
    const { clock, adapter, log = silentLog } = deps;
    this.#eventBytesMax = Math.min(EVENT_BYTES_MAX, adapter.eventBytesMax ?? EVENT_BYTES_MAX);
    // A producer that comes back must not use its numbers again: engines would take new events for repeats.
    const isLasting = config.producerNoncePath !== undefined;
    const firstSequence = isLasting
      ? BigInt(Math.trunc(clock.wallMs())) << SEQUENCE_BITS_PER_MS
      : 0n;
    this.#shardDeps = { clock, adapter, log, config, producerNonce, firstSequence };
    for (let id = 0; id < config.shards; id++) this.#addShard();
    this.#scaler = new Scaler({
      clock,
      log,
      shards: this.#shards,
      addShard: () => this.#addShard(),
      takePushLatencyNs: () => this.#takePushLatency(),
    }, config.scaling);
    this.#scaler.start();
    this.#stats = new BusStatsView(this.#shards);
    deps.metrics?.register("bus", () => this.#stats.counters());
  }

  /** Lets the shards' clocks go on where the adapter has them, also of shards that are not there yet. */
  async resume(): Promise<void> {
    for (const id of await this.#keptShards()) {
      if (!this.#shards.has(id)) this.#shards.set(id, new Shard(this.#shardDeps, id));
    }
    const { adapter, clock } = this.#deps;
    for (const shard of this.#shards.values()) {
      const last = await this.#ask("read the time of a shard", async (signal) => {
        return await adapter.lastInsertionTs?.(shard.id, signal);
      });
      if (last !== undefined) shard.clock.resume(last, clock.now());
    }
  }

  get shardCount(): number {
    return [...this.#shards.values()].filter(({ state }) => state === "active").length;
  }

  ingest(event: unknown): Ingested {
    return this.ingestRaw(encodeEvent(event));
  }

  ingestRaw(raw: Uint8Array): Ingested {
    this.#requireOpen();
    this.#requireSize(raw);
    const nowMs = this.#deps.clock.now();
    const shard = this.#shardOf(raw);
    if (shard === undefined) {
      this.#stats.unrouted += 1;
      throw new BusError("unrouted", "Cannot take event: event has no routable shard", {
        next: "wait until the shards of the bus have changed",
      });
    }
    const result = shard.push(raw, nowMs);
    shard.wake(nowMs);
    if (result === "taken") return { shard: shard.id, insertionTs: shard.clock.last };
    throw this.#refusal(result);
  }

  ingestBatch(events: readonly unknown[]): number {
    return this.ingestRawBatch(events.map(encodeEvent));
  }

  ingestRawBatch(events: readonly Uint8Array[]): number {
    this.#requireOpen();
    for (const raw of events) this.#requireSize(raw);
    const nowMs = this.#deps.clock.now();
    let taken = 0;
    for (const raw of events) {
      const shard = this.#shardOf(raw);
      if (shard === undefined) this.#stats.unrouted += 1;
      else {
        const result = shard.push(raw, nowMs);
        if (result === "taken") taken += 1;
        else this.#stats.count(result);
      }
    }
    const endMs = this.#deps.clock.now();
    for (const shard of this.#shards.values()) {
      if (shard.pushedAtMs === nowMs) shard.wake(endMs);
    }
    this.#pushMs += endMs - nowMs;
    this.#pushes += events.length;
    return taken;
  }

  pushWithHash(raw: Uint8Array, hash: bigint): boolean {
    if (!this.#isOpen || hash < 0n || hash >= U64_END || raw.length > this.#eventBytesMax) {
      return false;
    }
    const { candidates } = this.#scaler;
    const shard = candidates[Number((hash * BigInt(candidates.length)) >> 64n)];
    if (shard === undefined) {
      this.#stats.unrouted += 1;
      return false;
    }
    const nowMs = this.#deps.clock.now();
    const result = shard.push(raw, nowMs);
    shard.wake(nowMs);
    if (result === "taken") return true;
    this.#stats.count(result);
    return false;
  }

  async poll(request: PollRequest, signal?: AbortSignal): Promise<PollResponse> {
    this.#requireOpen();
    const { clock, adapter } = this.#deps;
    const ending = this.#ending.signal;
    const timeoutMs = this.#config.adapterTimeoutMs;
    return await pollShards(
      { clock, adapter, timeoutMs, shards: () => this.#allShards() },
      request,
      signal === undefined ? ending : AbortSignal.any([signal, ending]),
    );
  }

  async flush(): Promise<void> {
    this.#requireOpen();
    await flushShards(this.#deps, this.#config, [...this.#shards.values()]);
  }

  async shutdown(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = this.#close();
      return await this.#closing;
    }
    if (await isDoneWithin(this.#deps.clock, SHUTDOWN_SECOND_MS, this.#closing)) return;
    throw new BusError(
      "transient",
      "Cannot shut down event bus: another caller's shutdown goes on",
    );
  }

  abandon(): void {
    this.#isOpen = false;
    this.#scaler.stop();
    this.#abandonShards();
    this.#ending.abort(closed());
    this.#closing ??= this.#endAdapter(false).then(() => {});
  }

  stats(): BusStats {
    return this.#stats.read();
  }

  scaleUp(shards: number): number {
    this.#requireOpen();
    return this.#scaler.up(shards);
  }

  async scaleDown(shards: number): Promise<number> {
    this.#requireOpen();
    return await this.#scaler.down(shards);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  async #close(): Promise<void> {
    const { clock } = this.#deps;
    this.#isOpen = false;
    this.#scaler.stop();
    const drains = [...this.#shards.values()].map((shard) => shard.finish());
    await isDoneWithin(clock, SHUTDOWN_DRAIN_MS, Promise.all(drains));
    this.#abandonShards();
    const failure = await this.#endAdapter(true);
    this.#ending.abort(closed());
    if (failure !== undefined) throw failure;
  }

  #abandonShards(): void {
    for (const shard of this.#shards.values()) {
      const left = shard.abandon();
      if (left === 0) continue;
      this.#stats.wasLossy = true;
      this.#shardDeps.log.error("bus_events_lost", {
        bus: this.#config.name,
        shard: shard.id,
        events: left,
      });
    }
  }

  async #endAdapter(isFlushed: boolean): Promise<BusError | undefined> {
    const failure = await endAdapter(this.#deps, this.#config, isFlushed);
    if (failure !== undefined) {
      this.#shardDeps.log.error("bus_adapter_failed", {
        bus: this.#config.name,
        error: failure.message,
      });
    }
    return failure;
  }

  #addShard(): Shard {
    let id = 0;
    while ((this.#shards.get(id)?.state ?? "stopped") !== "stopped") id += 1;
    const shard = this.#shards.get(id) ?? new Shard(this.#shardDeps, id);
    this.#shards.set(id, shard);
    shard.revive();
    return shard;
  }

  #shardOf(raw: Uint8Array): Shard | undefined {
    const { candidates } = this.#scaler;
    return candidates.length > 1 ? candidates[xxh3Bucket(raw, candidates.length)] : candidates[0];
  }

  async #allShards(): Promise<readonly number[]> {
    return [...this.#shards.keys(), ...await this.#keptShards()];
  }

  async #keptShards(): Promise<readonly number[]> {
    const { adapter } = this.#deps;
    return await this.#ask("list shards", async (signal) => await adapter.shards?.(signal) ?? []);
  }

  #ask<Value>(what: string, call: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
    const { adapterTimeoutMs } = this.#config;
    return withTimeout(this.#deps.clock, adapterTimeoutMs, this.#ending.signal, what, call);
  }

  #takePushLatency(): number {
    const ns = this.#pushes === 0 ? 0 : this.#pushMs * 1e6 / this.#pushes;
    this.#pushMs = 0;
    this.#pushes = 0;
    return ns;
  }

  #refusal(result: Exclude<PushResult, "taken">): BusError {
    this.#stats.count(result);
    return result === "sampled"
      ? new BusError("sampled", "Cannot take event: event dropped due to sampling", {
        next: "send less, or have the bus drained faster",
      })
      : new BusError("backpressure", "Cannot take event: ring buffer full", {
        next: "try again when the adapter has taken some, or send less",
      });
  }

  #requireSize(raw: Uint8Array): void {
    if (raw.length <= this.#eventBytesMax) return;
    throw new BusError(
      "serialization",
      `Cannot take event: it has ${raw.length} bytes, must have at most ${this.#eventBytesMax}`,
      { next: "store it as a blob and send its address" },
    );
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw closed();
  }
}

function encodeEvent(event: unknown): Uint8Array {
  try {
    const text: string | undefined = JSON.stringify(event);
    if (text !== undefined) return ENCODER.encode(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BusError("serialization", `Cannot take event: ${why}`, { cause });
  }
  throw new BusError("serialization", `Cannot take event: ${typeof event} has no JSON`);
}

function closed(): BusError {
  return new BusError("shutting_down", "Cannot use event bus: EventBus has been shut down");
}
