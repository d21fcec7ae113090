/**
 * Looks through the chunks of a node, when somebody asks or again and again, and goes on where a stop broke it off.
 *
 * What is damaged comes from parity where a blob has some, else from peers.
 */
import { type Clock, NetError, toHex, toNetError } from "../../base/mod.ts";
import {
  type BlobTransfer,
  chunkFromParity,
  type ChunkStore,
  emptyScrubCounts,
  type FileChunkStore,
  neededChunks,
  scrubChunks,
  type ScrubFinding,
  type ScrubProgress,
} from "../../blob/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import type { Storage } from "../storage.ts";
import type { KeptScrub, ScrubMemory } from "./scrub_memory.ts";

/** What {@linkcode ScrubService} needs. */
export interface ScrubServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly storage: Storage;
  readonly memory: ScrubMemory;
  /** What gets chunks from peers; `undefined` where no mesh runs. */
  readonly transfer: () => BlobTransfer | undefined;
}

/** Options of {@linkcode ScrubService}. */
export interface ScrubServiceOptions {
  /** Time between scrubs in milliseconds; 0 for only when asked. */
  readonly everyMs: number;
  /** Bytes read per second unless a call says otherwise; 50 MiB when left out. */
  readonly bytesPerSecond?: number;
}

/** Options of {@linkcode ScrubService.scrub}. */
export interface ScrubCallOptions {
  /** Gets damaged and missing chunks again, and gives misnamed files their names. */
  readonly isRepairing?: boolean;
  /** Seals or opens chunks as the store does it now. */
  readonly isConverting?: boolean;
  /** Begins anew, wherever the last one stopped. */
  readonly isFresh?: boolean;
  readonly bytesPerSecond?: number;
  readonly onProgress?: (progress: ScrubProgress) => void;
  readonly signal?: AbortSignal;
}

/** How a scrub ended. */
export interface ScrubResult extends KeptScrub {
  readonly findings: readonly ScrubFinding[];
  /** True when it went on where another one had stopped. */
  readonly isResumed: boolean;
}

/** Slow enough to leave a disk to its node, quick enough for a terabyte in six hours. */
const BYTES_PER_SECOND = 50 * 1024 * 1024;

/** Time a peer has to give a chunk again. */
const REPAIR_MS = 60_000;

/** Scrubs one store. */
export class ScrubService implements Service {
  readonly name = "blob_scrub";
  readonly #deps: ScrubServiceDeps;
  readonly #options: ScrubServiceOptions;
  #stopping = new AbortController();
  #cancelTimer: (() => void) | undefined;
  #running: Promise<unknown> | undefined;
  #last: KeptScrub | undefined;

  constructor(deps: ScrubServiceDeps, options: ScrubServiceOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { memory, metrics } = this.#deps;
    this.#stopping = new AbortController();
    this.#last = await memory.read();
    metrics.register("blob_scrub", () => {
      const { counts = emptyScrubCounts() } = this.#last ?? {};
      return Object.fromEntries(
        Object.entries(counts).map(([name, count]) => [`${name}_last`, count]),
      );
    });
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#stopping.abort();
    await this.#running?.catch(() => {}); // Whoever asked for it was told.
  }

  health(): ServiceHealth {
    const { counts } = this.#last ?? {};
    const lost = counts === undefined ? 0 : counts.corrupt + counts.missing - counts.repaired;
    if (lost <= 0) return { state: "healthy" };
    return { state: "degraded", detail: `the last scrub found ${lost} lost chunks` };
  }

  /** The scrub that runs, or the last one. */
  get last(): KeptScrub | undefined {
    return this.#last;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Scrubs to the end.
   *
   * @throws NetError `conflict` when one runs already; the signal's reason.
   */
  async scrub(options: ScrubCallOptions = {}): Promise<ScrubResult> {
    if (this.#running !== undefined) {
      throw new NetError("conflict", "Cannot scrub chunks: a scrub runs already", {
        next: "wait for it; net blob scrub --status says how far it is",
      });
    }
    const work = this.#scrub(options);
    this.#running = work;
    try {
      return await work;
    } finally {
      this.#running = undefined;
    }
  }

  async #scrub(options: ScrubCallOptions): Promise<ScrubResult> {
    const { clock, storage, memory, log } = this.#deps;
    const { ledger, blobs } = storage;
    const chunks: ChunkStore & Partial<FileChunkStore> = storage.chunks;
    const last = this.#last;
    const isResumed = options.isFresh !== true && last !== undefined &&
      last.endedAtMs === undefined && last.after !== undefined;
    const startedAtMs = isResumed ? last.startedAtMs : clock.wallMs();
    const note = async ({ counts, after }: ScrubProgress, endedAtMs?: number) => {
      this.#last = { startedAtMs, endedAtMs, after, counts };
      await memory.write(this.#last);
    };
    const signals = [
      this.#stopping.signal,
      ...options.signal === undefined ? [] : [options.signal],
    ];
    const report = await scrubChunks({
      clock,
      chunks,
      read: (hash, into) => blobs.readChunk(hash, into, { isQuiet: true }),
      write: (hash, bytes) => blobs.addChunk(hash, bytes, { isDurable: true }),
      needed: (after) => neededChunks(ledger.db, after),
    }, {
      from: isResumed ? last : undefined,
      bytesPerSecond: options.bytesPerSecond ?? this.#options.bytesPerSecond ?? BYTES_PER_SECOND,
      repair: options.isRepairing ? (hash, signal) => this.#repair(hash, signal) : undefined,
      isConverting: options.isConverting,
      onProgress: async (progress) => {
        await note(progress);
        options.onProgress?.(progress);
      },
      signal: AbortSignal.any(signals),
    });
    if (options.isConverting) await chunks.flush();
    await note(report, clock.wallMs());
    const { corrupt, missing, repaired, unreadable } = report.counts;
    const facts = { ...report.counts, started_at_ms: startedAtMs };
    if (corrupt + missing + unreadable > repaired) log.error("scrub_found_loss", facts);
    else log.info("scrub_done", facts);
    return { ...report, startedAtMs, endedAtMs: clock.wallMs(), isResumed };
  }

  async #repair(hash: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { storage: { blobs, ledger }, transfer, log } = this.#deps;
    const restored = await chunkFromParity({ db: ledger.db, blobs }, hash, signal);
    if (restored !== undefined) return restored;
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(REPAIR_MS)]);
      return (await transfer()?.fetchChunk(hash, { signal: limited }))?.bytes;
    } catch (error) {
      signal.throwIfAborted();
      log.warn("scrub_repair_failed", {
        hash: toHex(hash),
        reason: toNetError(error, "Cannot get chunk").message,
      });
      return undefined;
    }
  }

  #schedule(): void {
    const { everyMs } = this.#options;
    if (everyMs === 0) return;
    const { clock, log } = this.#deps;
    // One that was broken off goes on soon; one that ended has its rest, however often the node was started since.
    const endedAtMs = this.#last?.endedAtMs;
    const waitMs = endedAtMs === undefined ? 0 : endedAtMs + everyMs - clock.wallMs();
    this.#cancelTimer = clock.after(Math.min(Math.max(waitMs, FIRST_MS), everyMs), () => {
      this.scrub({ isRepairing: true }).catch((error) => {
        if (this.#stopping.signal.aborted) return;
        log.warn("scrub_failed", { reason: toNetError(error, "Cannot scrub chunks").message });
      }).finally(() => {
        if (!this.#stopping.signal.aborted) this.#schedule();
      });
    });
  }
}

/** Time a node has for other things after its start. */
const FIRST_MS = 60_000;
