/**
 * Shares of the link (`dataforts.md` 20): one bucket of bytes that refills with time, and three classes that
 * may draw on it. Foreground takes what is there; background leaves most of it alone, but is never starved
 * for more than a minute; realtime is always served up to its reserve and owes what was not there.
 */
import { MINUTE_MS } from "./limits.ts";

/** Classes by their byte on the wire. */
export const BANDWIDTH_CLASSES = ["foreground", "background", "realtime"] as const;

/** One of them. */
export type BandwidthClass = typeof BANDWIDTH_CLASSES[number];

/** Settings of a bucket. */
export interface BandwidthOptions {
  /** Share of the link, above 0 to 1. */
  readonly fraction: number;
  /** What the link can do, in bytes per second. */
  readonly peakBytesPerSecond: number;
  /** Share of the bucket that background may draw on, 0 to 1. */
  readonly backgroundFraction: number;
  /** Share of the bucket that one grant of realtime may take, 0 to 1. */
  readonly realtimeFraction?: number;
}

/** Link speed when nobody measured it: 1 Gbit/s. */
export const LINK_BYTES_PER_SECOND = 125_000_000;

/** Background waits no longer than this for its one small grant. */
export const STARVE_WINDOW_MS = MINUTE_MS;

const REALTIME_FRACTION = 0.5;
const STARVED_FRACTION = 0.1;
/** The smallest step of a 32-bit float: a share that is not zero, and as good as. */
const FRACTION_MIN = 2 ** -23;

/** Class of a byte; absent and unknown ones are foreground. */
export function bandwidthClassOf(byte: number | undefined): BandwidthClass {
  return BANDWIDTH_CLASSES[byte ?? 0] ?? "foreground";
}

/** Byte of a class. */
export function bandwidthClassByte(name: BandwidthClass): number {
  return BANDWIDTH_CLASSES.indexOf(name);
}

/**
 * One bucket: one second's worth of the share, full at the start.
 *
 * @example
 * ```ts
 * import { BandwidthBucket } from "./bandwidth.ts";
 * const options = { fraction: 1, peakBytesPerSecond: 1_000, backgroundFraction: 0.25 };
 * const bucket = new BandwidthBucket(options, 0);
 * console.assert(bucket.grant("foreground", 400, 0) && bucket.availableAt(0) === 600);
 * console.assert(!bucket.grant("background", 10, 0));
 * ```
 */
export class BandwidthBucket {
  #options: BandwidthOptions;
  #available: number;
  #debt = 0;
  #filledAtMs: number;
  #backgroundAtMs: number;

  /** @param nowMs Time of the same clock as in every later call. */
  constructor(options: BandwidthOptions, nowMs: number) {
    this.#options = options;
    this.#available = this.capacity;
    this.#filledAtMs = nowMs;
    this.#backgroundAtMs = nowMs;
  }

  /** Bytes that it holds, and that come in one second. */
  get capacity(): number {
    return shareOf(this.#options.fraction) * this.#options.peakBytesPerSecond;
  }

  /** Bytes that realtime took and that were not there. */
  get debt(): number {
    return this.#debt;
  }

  /** Bytes that are there. */
  availableAt(nowMs: number): number {
    this.#fill(nowMs);
    return this.#available;
  }

  /** Bytes of the last second that are used; `dataforts_greedy_io_budget_used_bytes`. */
  usedAt(nowMs: number): number {
    return this.capacity - this.availableAt(nowMs);
  }

  /** Takes so many bytes; false, and nothing is taken, when the class may not. */
  grant(name: BandwidthClass, bytes: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (bytes <= 0) return true;
    switch (name) {
      case "foreground":
        return this.#grantForeground(bytes);
      case "background":
        return this.#grantBackground(bytes, nowMs);
      case "realtime":
        return this.#grantRealtime(bytes);
    }
  }

  /** Gives back what was granted and not used: first to what realtime owes. */
  refund(bytes: number, nowMs: number): void {
    this.#fill(nowMs);
    const given = Math.max(0, bytes);
    const repaid = Math.min(this.#debt, given);
    this.#debt -= repaid;
    this.#available = Math.min(this.capacity, this.#available + given - repaid);
  }

  /** Goes on with other settings: as full as it was. */
  configure(options: BandwidthOptions, nowMs: number): void {
    this.#fill(nowMs);
    const fill = this.#available / this.capacity;
    this.#options = options;
    this.#available = fill * this.capacity;
    this.#debt = Math.min(this.#debt, this.capacity);
  }

  #grantForeground(bytes: number): boolean {
    const { capacity } = this;
    // What never fits passes alone, when nothing else was granted within the last second.
    const isTooLarge = bytes > capacity && this.#available >= capacity;
    if (this.#available < bytes && !isTooLarge) return false;
    this.#available = isTooLarge ? 0 : this.#available - bytes;
    return true;
  }

  #grantBackground(bytes: number, nowMs: number): boolean {
    const { capacity } = this;
    const kept = (1 - this.#options.backgroundFraction) * capacity;
    const isSpare = this.#available - bytes >= kept && this.#available >= bytes;
    const isStarved = nowMs - this.#backgroundAtMs > STARVE_WINDOW_MS;
    if (!isSpare && !(isStarved && bytes <= STARVED_FRACTION * capacity)) return false;
    this.#available = Math.max(0, this.#available - bytes);
    this.#backgroundAtMs = nowMs;
    return true;
  }

  #grantRealtime(bytes: number): boolean {
    const { capacity } = this;
    if (bytes > (this.#options.realtimeFraction ?? REALTIME_FRACTION) * capacity) return false;
    this.#debt = Math.min(capacity, this.#debt + Math.max(0, bytes - this.#available));
    this.#available = Math.max(0, this.#available - bytes);
    return true;
  }

  #fill(nowMs: number): void {
    const { capacity } = this;
    const gained = Math.max(0, nowMs - this.#filledAtMs) * capacity / 1000;
    this.#filledAtMs = Math.max(nowMs, this.#filledAtMs);
    const sum = this.#available + gained;
    this.#available = Math.min(capacity, sum);
    // What would run over pays what is owed: otherwise a debt would outlive a quiet day.
    this.#debt = Math.max(0, this.#debt - (sum - this.#available));
  }
}

function shareOf(fraction: number): number {
  if (!Number.isFinite(fraction) || fraction <= 0) return FRACTION_MIN;
  return Math.min(1, fraction);
}
