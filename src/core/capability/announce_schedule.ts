/**
 * When this node broadcasts its own announcement (`capabilities.md` 6, "Sending"): shortly after a
 * change, never more often than the gap allows, and again before the last one expires.
 *
 * Pure: the caller owns the timer. A push to a peer that just connected is not a broadcast and needs no
 * leave of the schedule.
 */
import {
  ANNOUNCE_DEBOUNCE_MS,
  ANNOUNCE_GAP_MS,
  ANNOUNCE_REPEAT_MS,
  ANNOUNCEMENT_LIFE_MS_MAX,
} from "./limits.ts";

/** Options of {@linkcode AnnounceSchedule}; all in milliseconds. */
export interface AnnounceScheduleOptions {
  /** Least time between broadcasts; 10000 when left out. */
  readonly gapMs?: number;
  /** Time between repetitions, 0 for none; 150000 when left out. */
  readonly repeatMs?: number;
  /** How long a change waits for others; 100 when left out. */
  readonly debounceMs?: number;
}

/**
 * Times of broadcasts.
 *
 * @example
 * ```ts
 * import { AnnounceSchedule } from "./announce_schedule.ts";
 * const schedule = new AnnounceSchedule();
 * schedule.change(0);
 * console.assert(!schedule.take(99) && schedule.take(100));
 * ```
 */
export class AnnounceSchedule {
  readonly #gapMs: number;
  readonly #repeatMs: number;
  readonly #debounceMs: number;
  /** First change that no broadcast carried yet. */
  #changedAt: number | undefined;
  #sentAt = -Infinity;
  /** Last broadcast that somebody heard: only those wear peers out. */
  #heardAt = -Infinity;

  constructor(options: AnnounceScheduleOptions = {}) {
    this.#gapMs = options.gapMs ?? ANNOUNCE_GAP_MS;
    this.#repeatMs = options.repeatMs ?? ANNOUNCE_REPEAT_MS;
    this.#debounceMs = options.debounceMs ?? ANNOUNCE_DEBOUNCE_MS;
  }

  /**
   * Time to live to write: two repetitions, or two gaps when those are longer; the longest that is believed
   * when nothing is repeated.
   */
  get ttlSeconds(): number {
    if (this.#repeatMs === 0) return ANNOUNCEMENT_LIFE_MS_MAX / 1000;
    return Math.ceil(2 * Math.max(this.#repeatMs, this.#gapMs) / 1000);
  }

  /** When the next broadcast is due; `undefined` when none is. */
  get dueAt(): number | undefined {
    const earliest = this.#heardAt + this.#gapMs;
    if (this.#changedAt !== undefined) {
      return Math.max(this.#changedAt + this.#debounceMs, earliest);
    }
    if (this.#repeatMs === 0 || this.#sentAt === -Infinity) return undefined;
    return Math.max(this.#sentAt + this.#repeatMs, earliest);
  }

  /** True when there is something new to say. */
  get hasChange(): boolean {
    return this.#changedAt !== undefined;
  }

  /** Notes that there is something new to say. */
  change(nowMs: number): void {
    this.#changedAt ??= nowMs;
  }

  /**
   * True when a broadcast is due; it counts as made then, with everything changed so far.
   *
   * @param isHeard False when there is nobody to hear it: the next one need not keep the gap.
   */
  take(nowMs: number, isHeard = true): boolean {
    const { dueAt } = this;
    if (dueAt === undefined || nowMs < dueAt) return false;
    this.#changedAt = undefined;
    this.#sentAt = nowMs;
    if (isHeard) this.#heardAt = nowMs;
    return true;
  }
}
