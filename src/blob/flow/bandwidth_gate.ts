/**
 * Lets background work pass at the pace that the bucket of the link allows (`dataforts.md` 20), and measures
 * what the link can do.
 *
 * A chunk is paid for in slices: on a slow link one is more than its class may ever draw at once.
 */
import type { Clock } from "../../base/mod.ts";
import type { BandwidthBucket, BandwidthClass } from "../policy/mod.ts";
import { LINK_SAMPLE_BYTES_MIN } from "./limits.ts";
import { wait } from "./wait.ts";

/** Share of the bucket that one slice takes: what background is granted even when it would starve. */
const SLICE = 0.1;
const PAUSE_MS = 250;
/** Time over which the best rate counts. */
const WINDOW_MS = 600_000;
const WINDOWS = 6;

/** One bucket, and who waits for it. */
export class BandwidthGate {
  readonly #clock: Clock;
  readonly #bucket: BandwidthBucket;
  #waiting = 0;

  constructor(clock: Clock, bucket: BandwidthBucket) {
    this.#clock = clock;
    this.#bucket = bucket;
  }

  /** Takes that wait for their turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Resolves when so many bytes may pass.
   *
   * @throws The signal's reason once it is aborted.
   */
  async take(name: BandwidthClass, bytes: number, signal: AbortSignal): Promise<void> {
    const slice = Math.max(1, Math.floor(this.#bucket.capacity * SLICE));
    this.#waiting += 1;
    try {
      for (let left = bytes; left > 0;) {
        signal.throwIfAborted();
        const part = Math.min(left, slice);
        if (this.#bucket.grant(name, part, this.#clock.now())) left -= part;
        else await wait(this.#clock, PAUSE_MS, signal);
      }
    } finally {
      this.#waiting -= 1;
    }
  }
}

/** The best rate of single transfers within the last hour: a lower bound of what the link can do. */
export class LinkMeter {
  /** Best rate by window, the newest last. */
  readonly #best: { readonly window: number; rate: number }[] = [];

  /** Notes a transfer that took so long. */
  note(bytes: number, elapsedMs: number, nowMs: number): void {
    if (bytes < LINK_SAMPLE_BYTES_MIN || !(elapsedMs > 0)) return;
    const rate = bytes * 1000 / elapsedMs;
    const window = Math.floor(nowMs / WINDOW_MS);
    const last = this.#best.at(-1);
    if (last?.window === window) last.rate = Math.max(last.rate, rate);
    else this.#best.push({ window, rate });
    while (this.#best.length > WINDOWS) this.#best.shift();
  }

  /** Bytes per second; `undefined` when nothing was measured. */
  peakAt(nowMs: number): number | undefined {
    const since = Math.floor(nowMs / WINDOW_MS) - WINDOWS;
    const rates = this.#best.filter(({ window }) => window > since).map(({ rate }) => rate);
    return rates.length === 0 ? undefined : Math.max(...rates);
  }
}
