/**
 * When this node broadcasts its own announcement (`capabilities.md` 6, "Sending"): shortly after a
 * change, no more often than one per gap in the long run, and again before the last one expires.
 *
 * After a quiet time a few changes go out without waiting for the gap: who serves one thing after the other
 * is heard at once, and who keeps changing is paced. They are fewer than receivers take at once, and the pace
 * is a fifth of theirs.
 *
 * Pure: the caller owns the timer. A push to a peer that just connected is not a broadcast and needs no
 * leave of the schedule.
 */
import {
  ANNOUNCE_BURST,
  ANNOUNCE_DEBOUNCE_MS,
  ANNOUNCE_GAP_MS,
  ANNOUNCE_REPEAT_MS,
  ANNOUNCEMENT_LIFE_MS_MAX,
} from "./limits.ts";

/** Options of {@linkcode AnnounceSchedule}; times in milliseconds. */
export interface AnnounceScheduleOptions {
  /** Time between broadcasts of somebody who keeps changing; 10000 when left out. */
  readonly gapMs?: number;
  /** Changes that go out at once after a quiet time; 6 when left out, 1 keeps the gap always. */
  readonly burst?: number;
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
  /** How far ahead of one broadcast per gap changes may run. */
  readonly #aheadMs: number;
  readonly #repeatMs: number;
  readonly #debounceMs: number;
  /** First change that no broadcast carried yet. */
  #changedAt: number | undefined;
  #sentAt = -Infinity;
  /** Last broadcast that somebody heard: only those wear peers out. */
  #heardAt = -Infinity;
  /** Until when the broadcasts that were heard take up the rate of one per gap. */
  #paidUntil = -Infinity;

  constructor(options: AnnounceScheduleOptions = {}) {
    this.#gapMs = options.gapMs ?? ANNOUNCE_GAP_MS;
    this.#aheadMs = ((options.burst ?? ANNOUNCE_BURST) - 1) * this.#gapMs;
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
    if (this.#changedAt !== undefined) {
      return Math.max(this.#changedAt + this.#debounceMs, this.#paidUntil - this.#aheadMs);
    }
    if (this.#repeatMs === 0 || this.#sentAt === -Infinity) return undefined;
    return Math.max(this.#sentAt + this.#repeatMs, this.#heardAt + this.#gapMs);
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
   * @param isHeard False when there is nobody to hear it: it does not count towards the pace.
   */
  take(nowMs: number, isHeard = true): boolean {
    const { dueAt } = this;
    if (dueAt === undefined || nowMs < dueAt) return false;
    this.#changedAt = undefined;
    this.#sentAt = nowMs;
    if (!isHeard) return true;
    this.#heardAt = nowMs;
    this.#paidUntil = Math.max(this.#paidUntil, nowMs) + this.#gapMs;
    return true;
  }
}
