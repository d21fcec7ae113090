/**
 * Pulls of chunks in the background: a few at a time, each at the pace of the link's bucket, none twice at once.
 * What failed is tried again when somebody asks for it again, each time after a longer pause (row 51).
 */
import { type Clock, toHex } from "../../base/mod.ts";
import { Backoff } from "./_backoff.ts";
import type { BandwidthGate, LinkMeter } from "./bandwidth_gate.ts";
import {
  FAILURES_MAX,
  PULL_TIMEOUT_MS,
  PULLS_RUNNING_MAX,
  PULLS_WAITING_MAX,
  RETRY_MIN_MS,
} from "./limits.ts";
import type { FlowMesh, FlowStore } from "./ports.ts";
import { bounded } from "./wait.ts";

/** What {@linkcode PullQueue} needs. */
export interface PullQueueDeps {
  readonly clock: Clock;
  readonly store: FlowStore;
  readonly mesh: FlowMesh;
  readonly gate: BandwidthGate;
  readonly meter: LinkMeter;
}

/** One pull. */
export interface Pull {
  readonly hash: Uint8Array;
  readonly sizeBytes: number;
  readonly sources: readonly bigint[];
  readonly isOnlyThese?: boolean;
  readonly signal: AbortSignal;
}

/** What became of it. */
export type PullOutcome =
  | "stored"
  | "present"
  /** Nobody gave it, the disk refused it, or it was switched off meanwhile. */
  | "failed"
  /** Too many wait. */
  | "full"
  /** It failed lately. */
  | "resting";

/** Counters of the pulls. */
export interface PullCounters {
  stored: number;
  storedBytes: number;
  present: number;
  failed: number;
  full: number;
}

interface Waiting {
  readonly pull: Pull;
  readonly settle: (outcome: PullOutcome) => void;
}

/** The pulls of one node. */
export class PullQueue {
  readonly counters: PullCounters = { stored: 0, storedBytes: 0, present: 0, failed: 0, full: 0 };
  readonly #deps: PullQueueDeps;
  readonly #waiting: Waiting[] = [];
  /** Outcomes of those that wait or run, by hash. */
  readonly #active = new Map<string, Promise<PullOutcome>>();
  readonly #failures = new Backoff<string>(RETRY_MIN_MS, FAILURES_MAX);
  #running = 0;

  constructor(deps: PullQueueDeps) {
    this.#deps = deps;
  }

  /** Pulls that wait or run. */
  get size(): number {
    return this.#active.size;
  }

  /** True for a chunk that is being pulled, or is left alone because that failed. */
  isBusy(hex: string, nowMs: number): boolean {
    return this.#active.has(hex) || this.#failures.isOff(hex, nowMs);
  }

  /** Pulls a chunk; never rejects. */
  pull(pull: Pull): Promise<PullOutcome> {
    const hex = toHex(pull.hash);
    const active = this.#active.get(hex);
    if (active !== undefined) return active;
    if (this.isBusy(hex, this.#deps.clock.now())) return Promise.resolve("resting");
    if (this.#waiting.length >= PULLS_WAITING_MAX) {
      this.counters.full += 1;
      return Promise.resolve("full");
    }
    const outcome = new Promise<PullOutcome>((settle) => this.#waiting.push({ pull, settle }));
    this.#active.set(hex, outcome);
    this.#next();
    return outcome;
  }

  #next(): void {
    while (this.#running < PULLS_RUNNING_MAX) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return;
      this.#running += 1;
      void this.#run(waiting.pull).then((outcome) => {
        this.#running -= 1;
        this.#active.delete(toHex(waiting.pull.hash));
        waiting.settle(outcome);
        this.#next();
      });
    }
  }

  async #run(pull: Pull): Promise<PullOutcome> {
    const { clock } = this.#deps;
    const hex = toHex(pull.hash);
    const time = bounded(clock, PULL_TIMEOUT_MS, pull.signal);
    try {
      const outcome = await this.#fetch(pull, time.signal);
      this.#failures.succeed(hex);
      return outcome;
    } catch {
      // Whoever asked is told; why single holders failed is in the counters of transfers.
      this.counters.failed += 1;
      if (!pull.signal.aborted) this.#failures.fail(hex, clock.now());
      return "failed";
    } finally {
      time.end();
    }
  }

  async #fetch(pull: Pull, signal: AbortSignal): Promise<PullOutcome> {
    const { store, mesh, gate, meter, clock } = this.#deps;
    const { hash, sizeBytes, sources, isOnlyThese } = pull;
    signal.throwIfAborted();
    if (await store.has(hash) !== undefined) {
      this.counters.present += 1;
      return "present";
    }
    await gate.take("background", sizeBytes, signal);
    const startedAtMs = clock.now();
    const bytes = await mesh.fetch(hash, { sources, isOnlyThese, bytesMax: sizeBytes, signal });
    meter.note(bytes.length, clock.now() - startedAtMs, clock.now());
    signal.throwIfAborted();
    const outcome = await store.add(hash, bytes);
    this.counters[outcome] += 1;
    if (outcome === "stored") this.counters.storedBytes += bytes.length;
    return outcome;
  }
}
