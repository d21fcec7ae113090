/**
 * What stays and what goes, by itself (`dataforts.md` 10 and 19): the books are compared with what is there some time
 * after the start and whenever a chunk turns out damaged, chunks that nothing needs are collected again and again,
 * and what blobs lack is made again out of their parity, or fetched where a peer has it.
 */
import { type Clock, NetError, toHex, toNetError } from "../../base/mod.ts";
import {
  type AuditReport,
  type CollectOptions,
  type CollectReport,
  type DataPolicy,
  diskRatio,
  type MissingChunk,
  repairBlob,
  stepHealthGate,
} from "../../blob/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { CounterSet, Log, MetricRegistry } from "../../observe/mod.ts";
import type { Storage } from "../storage.ts";
import { BlobCare } from "./blob_care.ts";
import { EventHolds } from "./event_holds.ts";
import { FLOW_ADAPTER } from "./flow_status.ts";

/** What {@linkcode BlobKeepingService} needs. */
export interface BlobKeepingServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly storage: Storage;
  /** The policy now. */
  readonly policy: () => DataPolicy;
  /** Gets a chunk from whoever has it; nothing is fetched when left out. */
  readonly fetch?: (hash: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
}

/** Options of {@linkcode BlobKeepingService}. */
export interface BlobKeepingServiceOptions {
  /** How long chunks stay that nothing needs, in milliseconds; what the policy says when left out. */
  readonly retentionMs?: number;
  /** Time between collections in milliseconds, 0 for never; ten minutes when left out. */
  readonly gcMs?: number;
}

/** How the store is doing. */
export interface StoreHealth {
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly freeBytes: number;
  /** So full that it takes nothing of others. */
  readonly isFull: boolean;
  /** Chunks that blobs lack, as far as is known. */
  readonly missingCount: number;
  readonly missing: readonly MissingChunk[];
  /** Unix milliseconds of the last audit; `undefined` before the first. */
  readonly auditedAtMs: number | undefined;
  /** Chunks that turned out damaged since the start; each was removed. */
  readonly corruptCount: number;
  /** Chunks that nothing needs and that are too young to go. */
  readonly pendingCount: number;
}

/** Time a node has for other things before it looks at the books. */
const FIRST_AUDIT_MS = 10_000;
/** Books that are right stay so, but for what happens to a disk. */
const AUDIT_MS = 86_400_000;
const GC_MS = 600_000;
const LOOK_MS = 5_000;
/** Chunks that are fetched after an audit, and failures in a row after which it is given up. */
const REFILLS_MAX = 1_000;
const REFILL_FAILURES_MAX = 8;
const REFILL_MS = 60_000;
/** Blobs that one audit repairs: each is walked once, and only stripes that lost something are read. */
const RESTORED_BLOBS_MAX = 256;

/** Looks after chunks. */
export class BlobKeepingService implements Service {
  readonly name = "blob_keeping";
  /** For what users do about single blobs. */
  readonly care: BlobCare;
  /** For whoever folds events that refer to blobs. */
  readonly events: EventHolds;
  readonly #deps: BlobKeepingServiceDeps;
  readonly #retentionMs: number | undefined;
  readonly #gcMs: number;
  /** Passes one after the other: two at once would do the same. */
  #pass: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #isFull = false;
  #missingCount = 0;
  #missing: readonly MissingChunk[] = [];
  #auditedAtMs: number | undefined;
  /** Damaged chunks that the last audit knew of. */
  #corruptSeen = 0;
  #refilled = 0;
  #restored = 0;
  #stopping = new AbortController();
  #stops: (() => void)[] = [];

  constructor(deps: BlobKeepingServiceDeps, options: BlobKeepingServiceOptions = {}) {
    this.#deps = deps;
    this.#retentionMs = options.retentionMs;
    this.#gcMs = options.gcMs ?? GC_MS;
    const { blobs } = deps.storage;
    this.events = new EventHolds(blobs);
    this.care = new BlobCare({ blobs, retentionMs: () => this.retentionMs });
  }

  start(): Promise<void> {
    const { metrics, storage } = this.#deps;
    this.#stopping = new AbortController();
    metrics.register("blob_keeping", () => ({
      ...storage.blobs.roomCounters,
      missing_chunks: this.#missingCount,
      refilled_chunks_total: this.#refilled,
      restored_chunks_total: this.#restored,
      is_full: this.#isFull ? 1 : 0,
      ...this.#specified(),
    }));
    this.#every(0, () => this.#look(), LOOK_MS);
    this.#every(FIRST_AUDIT_MS, () => this.audit(), AUDIT_MS);
    if (this.#gcMs > 0) this.#every(this.#gcMs, () => this.collect());
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#stopping.abort();
    await this.#pass;
  }

  health(): ServiceHealth {
    const { isFull, usedBytes, capacityBytes, missingCount } = this.state;
    const details: string[] = [];
    if (missingCount > 0) {
      details.push(`${missingCount} chunks of blobs are missing: see net doctor`);
    }
    if (isFull) {
      const percent = Math.round(100 * diskRatio({ used: usedBytes, capacity: capacityBytes }));
      details.push(`the store is full to ${percent} %: see net blob gc`);
    }
    if (details.length === 0) return { state: "healthy" };
    return { state: "degraded", detail: details.join("; "), refusesWrites: isFull };
  }

  /** How the store is doing. */
  get state(): StoreHealth {
    const { blobs, chunks } = this.#deps.storage;
    return {
      ...blobs.room(),
      isFull: this.#isFull,
      missingCount: this.#missingCount,
      missing: this.#missing,
      auditedAtMs: this.#auditedAtMs,
      corruptCount: chunks.counters.corrupt,
      pendingCount: this.#pending,
    };
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
    const { storage, policy } = this.#deps;
    const signal = this.#signalWith(options.signal);
    const retentionMs = options.retentionMs ?? this.retentionMs;
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      const isUnderPressure = options.isUnderPressure ??
        this.#ratio() >= policy().gc.pressureRatio;
      const report = await storage.blobs.collect({
        ...options,
        retentionMs,
        isUnderPressure,
        signal,
      });
      this.#pending = report.kept.fresh + report.candidateCount - report.removed;
      return report;
    });
  }

  /**
   * Compares the books with what is there, mends them, and makes what blobs lack out of their parity, or fetches it
   * where a peer has it.
   *
   * @throws The signal's reason.
   */
  audit(options: { readonly signal?: AbortSignal } = {}): Promise<AuditReport> {
    const { storage, clock } = this.#deps;
    const signal = this.#signalWith(options.signal);
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      this.#corruptSeen = storage.chunks.counters.corrupt;
      let report = await storage.blobs.audit({ signal });
      if (await this.#restore(report.missing, signal) > 0) {
        report = await storage.blobs.audit({ signal });
      }
      if (await this.#refill(report.missing, signal) > 0) {
        report = await storage.blobs.audit({ signal });
      }
      this.#missingCount = report.missingCount;
      this.#missing = report.missing;
      this.#auditedAtMs = clock.wallMs();
      return report;
    });
  }

  /** What the specification names, of the one adapter there is (`dataforts.md` 21). */
  #specified(): CounterSet {
    const { blobs } = this.#deps.storage;
    const counters = {
      ...blobs.counters,
      dataforts_blob_gc_pending: this.#pending,
      dataforts_blob_disk_capacity_bytes: blobs.room().capacityBytes,
    };
    const named = Object.entries(counters).map(([name, value]) =>
      [`${name}{adapter="${FLOW_ADAPTER}"}`, value] as const
    );
    return Object.fromEntries(named);
  }

  /** Makes chunks out of the parity that is here; how many. */
  async #restore(missing: readonly MissingChunk[], signal: AbortSignal): Promise<number> {
    const { storage: { blobs, work }, log } = this.#deps;
    const lost = new Map<string, Set<string>>();
    for (const { address, hash } of missing) {
      const key = toHex(address);
      if (!lost.has(key) && lost.size >= RESTORED_BLOBS_MAX) continue;
      lost.set(key, (lost.get(key) ?? new Set()).add(toHex(hash)));
    }
    let count = 0;
    for (const [key, hashes] of lost) {
      signal.throwIfAborted();
      try {
        const ref = await blobs.resolve(Uint8Array.fromHex(key));
        if (ref?.kind !== "tree" || ref.encoding.kind === "replicated") continue;
        await repairBlob(ref, {
          near: { read: (hash) => blobs.readChunk(hash, undefined, { isQuiet: true }) },
          store: async (hash, bytes) => {
            await blobs.addChunk(hash, bytes, { isDurable: true });
            count += 1;
          },
          lost: hashes,
          work,
          signal,
        });
      } catch (error) {
        signal.throwIfAborted();
        // A node of its tree is lost, too: that chunks are missing is what the audit says.
        if (!(error instanceof NetError)) throw error;
      }
    }
    this.#restored += count;
    if (count > 0) log.info("chunks_restored", { count });
    return count;
  }

  /** Fetches chunks; how many came. */
  async #refill(missing: readonly MissingChunk[], signal: AbortSignal): Promise<number> {
    const { clock, fetch, storage, log } = this.#deps;
    if (fetch === undefined) return 0;
    let failures = 0;
    let count = 0;
    for (const { hash } of missing.slice(0, REFILLS_MAX)) {
      if (signal.aborted || failures >= REFILL_FAILURES_MAX) break;
      const time = new AbortController();
      const cancel = clock.after(REFILL_MS, () => time.abort());
      const bytes = await fetch(hash, AbortSignal.any([signal, time.signal]))
        .catch(() => undefined) // Nobody has it: that it is missing is what the audit says.
        .finally(cancel);
      if (bytes === undefined) failures += 1;
      else {
        failures = 0;
        await storage.blobs.addChunk(hash, bytes, { isDurable: true });
        count += 1;
      }
    }
    this.#refilled += count;
    if (count > 0) log.info("chunks_refilled", { count });
    return count;
  }

  /** Looks how full the store is, and whether something turned out damaged. */
  async #look(): Promise<void> {
    const { storage, policy, log } = this.#deps;
    const { usedBytes: used, capacityBytes: capacity } = storage.blobs.room();
    const { isUnhealthy, action } = stepHealthGate(
      this.#isFull,
      { used, capacity },
      policy().health,
    );
    this.#isFull = isUnhealthy;
    if (action === "emit") {
      log.warn("store_full", { used, capacity, hint: "remove blobs, or give it more room" });
      await this.collect();
    }
    if (action === "clear") log.info("store_has_room", { used, capacity });
    if (storage.chunks.counters.corrupt > this.#corruptSeen) await this.audit();
    await this.#forgetMended();
  }

  /** Takes off the list what came back, and what nothing needs any more. */
  async #forgetMended(): Promise<void> {
    const { blobs } = this.#deps.storage;
    const left: MissingChunk[] = [];
    const before = this.#missing;
    for (const chunk of before) {
      const isHere = await blobs.hasChunk(chunk.hash) !== undefined;
      if (!isHere && await blobs.stat(chunk.address) !== undefined) left.push(chunk);
    }
    if (this.#missing !== before) return;
    this.#missingCount -= before.length - left.length;
    this.#missing = left;
  }

  #ratio(): number {
    const { usedBytes: used, capacityBytes: capacity } = this.#deps.storage.blobs.room();
    return diskRatio({ used, capacity });
  }

  #signalWith(signal: AbortSignal | undefined): AbortSignal {
    const { signal: stopping } = this.#stopping;
    return signal === undefined ? stopping : AbortSignal.any([stopping, signal]);
  }

  /** Does something again and again, each time after the last one has ended. */
  #every(firstMs: number, action: () => Promise<unknown> | void, everyMs = firstMs): void {
    const { clock, log } = this.#deps;
    let cancel = () => {};
    const run = async () => {
      try {
        await action();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        const { message } = toNetError(error, "Cannot look after chunks");
        log.warn("keeping_failed", { reason: message });
      }
      if (!this.#stopping.signal.aborted) cancel = clock.after(everyMs, run);
    };
    cancel = clock.after(firstMs, run);
    this.#stops.push(() => cancel());
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#pass.then(action);
    this.#pass = result.catch(() => {}); // Whoever asked for it is told.
    return result;
  }
}
