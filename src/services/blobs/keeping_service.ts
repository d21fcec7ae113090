/**
 * What stays and what goes, by itself (`dataforts.md` 10): chunks without a row get one some time after the start,
 * and chunks that nothing needs are collected again and again.
 */
import { type Clock, toNetError } from "../../base/mod.ts";
import type { CollectOptions, CollectReport, DataPolicy } from "../../blob/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import type { Storage } from "../storage.ts";
import { BlobCare } from "./blob_care.ts";

/** What {@linkcode BlobKeepingService} needs. */
export interface BlobKeepingServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly storage: Storage;
  /** The policy now. */
  readonly policy: () => DataPolicy;
}

/** Options of {@linkcode BlobKeepingService}. */
export interface BlobKeepingServiceOptions {
  /** How long chunks stay that nothing needs, in milliseconds; what the policy says when left out. */
  readonly retentionMs?: number;
  /** Time between collections in milliseconds, 0 for never; ten minutes when left out. */
  readonly gcMs?: number;
}

/** Time a node has for other things before it looks for chunks that no row knows. */
const SWEEP_DELAY_MS = 10_000;
const GC_MS = 600_000;

/** Collects chunks. */
export class BlobKeepingService implements Service {
  readonly name = "blob_keeping";
  /** For what users do about single blobs. */
  readonly care: BlobCare;
  readonly #deps: BlobKeepingServiceDeps;
  readonly #retentionMs: number | undefined;
  readonly #gcMs: number;
  /** Passes one after the other: two at once would do the same. */
  #pass: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #stopping = new AbortController();
  #stops: (() => void)[] = [];

  constructor(deps: BlobKeepingServiceDeps, options: BlobKeepingServiceOptions = {}) {
    this.#deps = deps;
    this.#retentionMs = options.retentionMs;
    this.#gcMs = options.gcMs ?? GC_MS;
    const { blobs } = deps.storage;
    this.care = new BlobCare({ blobs, retentionMs: () => this.retentionMs });
  }

  start(): Promise<void> {
    const { clock, metrics, storage } = this.#deps;
    this.#stopping = new AbortController();
    metrics.register("blob_keeping", () => ({
      dataforts_blob_gc_pending: this.#pending,
      ...storage.blobs.roomCounters,
    }));
    this.#stops = [clock.after(SWEEP_DELAY_MS, () => void this.#byItself(() => this.#sweep()))];
    if (this.#gcMs > 0) this.#schedule();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#stopping.abort();
    await this.#pass;
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** How long chunks stay that nothing needs, in milliseconds. */
  get retentionMs(): number {
    return this.#retentionMs ?? this.#deps.policy().gc.retentionFloorMs;
  }

  /**
   * Collects what nothing needs, after a pass that is under way.
   *
   * @param options The retention of the node when none is given.
   * @throws The signal's reason.
   */
  collect(options: Partial<CollectOptions> = {}): Promise<CollectReport> {
    const { storage } = this.#deps;
    const signals = [this.#stopping.signal, options.signal].filter((signal) =>
      signal !== undefined
    );
    const signal = AbortSignal.any(signals);
    const retentionMs = options.retentionMs ?? this.retentionMs;
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      const report = await storage.blobs.collect({ ...options, retentionMs, signal });
      this.#pending = report.kept.fresh + report.candidateCount - report.removed;
      return report;
    });
  }

  #schedule(): void {
    const { clock } = this.#deps;
    const cancel = clock.after(this.#gcMs, () => {
      this.#stops = this.#stops.filter((stop) => stop !== cancel);
      void this.#byItself(() => this.collect()).finally(() => {
        if (!this.#stopping.signal.aborted) this.#schedule();
      });
    });
    this.#stops.push(cancel);
  }

  #sweep(): Promise<unknown> {
    const { signal } = this.#stopping;
    return this.#inTurn(() => this.#deps.storage.blobs.adoptStrangers({ signal }));
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#pass.then(action);
    this.#pass = result.catch(() => {}); // Whoever asked for it is told.
    return result;
  }

  async #byItself(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const { message } = toNetError(error, "Cannot look after chunks");
      this.#deps.log.warn("keeping_failed", { reason: message });
    }
  }
}
