/**
 * Who may move bytes now, by bandwidth class (`dataforts.md` 20): foreground never waits and draws on the
 * bucket, background waits for what foreground leaves, realtime has its reserve.
 */
import type { Clock } from "../base/mod.ts";
import { CLASS_WAIT_MS } from "./limits.ts";
import {
  BandwidthBucket,
  type BandwidthClass,
  type BandwidthOptions,
  LINK_BYTES_PER_SECOND,
} from "./policy/mod.ts";

/** Settings when nobody says otherwise. */
export const DEFAULT_BANDWIDTH: BandwidthOptions = {
  fraction: 1,
  peakBytesPerSecond: LINK_BYTES_PER_SECOND,
  backgroundFraction: 0.25,
};

/** The gate of one node. */
export class ClassGate {
  readonly #clock: Clock;
  readonly #bucket: BandwidthBucket;

  constructor(clock: Clock, options: BandwidthOptions = DEFAULT_BANDWIDTH) {
    this.#clock = clock;
    this.#bucket = new BandwidthBucket(options, clock.now());
  }

  /** Goes on with other settings. */
  configure(options: BandwidthOptions): void {
    this.#bucket.configure(options, this.#clock.now());
  }

  /**
   * Waits until `bytes` may move; how long that was, in milliseconds.
   *
   * @throws The reason of `signal`.
   */
  async take(name: BandwidthClass, bytes: number, signal?: AbortSignal): Promise<number> {
    const startMs = this.#clock.now();
    if (name !== "background") {
      const isGranted = this.#bucket.grant(name, bytes, startMs) ||
        this.#bucket.grant("foreground", bytes, startMs);
      // Foreground is not held back: it takes what is there, and background sees none of it.
      if (!isGranted) this.#bucket.grant("foreground", this.#bucket.availableAt(startMs), startMs);
      return 0;
    }
    while (!this.#bucket.grant("background", bytes, this.#clock.now())) {
      await this.#wait(signal);
    }
    return this.#clock.now() - startMs;
  }

  /** Gives back what was taken and did not move. */
  refund(bytes: number): void {
    this.#bucket.refund(bytes, this.#clock.now());
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.#clock.after(CLASS_WAIT_MS, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}
