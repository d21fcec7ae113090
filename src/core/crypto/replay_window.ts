/**
 * The replay window of one direction of one session (`wire.md` 5): which packet counters were seen.
 *
 * Counters are 64-bit numbers given as two unsigned 32-bit halves; nothing is allocated per packet. Only
 * counters of packets whose tag verified may be accepted.
 */

/** Counters behind the highest accepted one that are still told apart. */
export const REPLAY_WINDOW_ENTRIES = 1024;

const BITMAP_WORDS = REPLAY_WINDOW_ENTRIES / 32;
const INDEX_MASK = REPLAY_WINDOW_ENTRIES - 1;
/** Places of `top` in the state, behind the bitmap. */
const TOP_LOW = BITMAP_WORDS;
const TOP_HIGH = BITMAP_WORDS + 1;
const HALF = 2 ** 32;
const HALF_MAX = HALF - 1;

/** Words of one window: the bitmap and `top`. */
const WINDOW_WORDS = BITMAP_WORDS + 2;

/** Windows that lie in one array: a node of very few sessions has 4 KiB of them. */
const CHUNK_WINDOWS = 32;

/**
 * Windows of all sessions of a node, many in one array: an array of its own would cost each three times
 * as much. They are used again.
 */
export class ReplayWindows {
  readonly #free: ReplayWindow[] = [];
  #chunk = new Uint32Array(0);
  #used = 0;

  /** A fresh window. */
  take(): ReplayWindow {
    const known = this.#free.pop();
    if (known !== undefined) return known;
    if (this.#used === this.#chunk.length) {
      this.#chunk = new Uint32Array(CHUNK_WINDOWS * WINDOW_WORDS);
      this.#used = 0;
    }
    const window = new ReplayWindow(this.#chunk, this.#used);
    this.#used += WINDOW_WORDS;
    return window;
  }

  /** Takes a window back; it must not be used any more. */
  release(window: ReplayWindow): void {
    window.clear();
    this.#free.push(window);
  }
}

/**
 * Remembers accepted counters.
 *
 * @example
 * ```ts
 * import { ReplayWindow } from "./replay_window.ts";
 * const window = new ReplayWindow();
 * console.assert(window.accept(5, 0) && window.accept(3, 0) && !window.accept(5, 0));
 * ```
 */
export class ReplayWindow {
  /**
   * Where the window's words start. Bit `counter % 1024` of the bitmap says whether that counter was seen,
   * for the 1024 counters below `top`, the highest accepted counter plus one. Bits are cleared when `top`
   * moves over their counter.
   */
  readonly #at: number;
  readonly #words: Uint32Array;

  /**
   * @param words Zeros to lie in; an array of its own when left out.
   * @param at Where in it.
   */
  constructor(words = new Uint32Array(WINDOW_WORDS), at = 0) {
    this.#words = words;
    this.#at = at;
  }

  /** Forgets every counter. */
  clear(): void {
    this.#words.fill(0, this.#at, this.#at + WINDOW_WORDS);
  }

  /** True when {@linkcode ReplayWindow.accept} would accept the counter; changes nothing. */
  check(low: number, high: number): boolean {
    if (low === HALF_MAX && high === HALF_MAX) return false;
    const ahead = this.#distance(low, high);
    if (ahead >= 0) return true;
    return -ahead <= REPLAY_WINDOW_ENTRIES && !this.#isSeen(low & INDEX_MASK);
  }

  /**
   * Accepts a counter once, or refuses it because it was seen or is too old.
   *
   * @param low Low 32 bits, unsigned.
   * @param high High 32 bits, unsigned.
   */
  accept(low: number, high: number): boolean {
    if (!this.check(low, high)) return false;
    const ahead = this.#distance(low, high);
    if (ahead >= 0) this.#moveTop(ahead, low, high);
    this.#mark(low & INDEX_MASK);
    return true;
  }

  /** True when the counter is the highest one accepted so far. */
  isNewest(low: number, high: number): boolean {
    return this.#distance(low, high) === -1;
  }

  /**
   * Counter minus `top`. Halves that differ by at most one give an exact number; beyond that only the
   * sign and "far more than 1024" matter, which rounding keeps.
   */
  #distance(low: number, high: number): number {
    const words = this.#words;
    const at = this.#at;
    return (high - (words[at + TOP_HIGH] ?? 0)) * HALF + (low - (words[at + TOP_LOW] ?? 0));
  }

  /** Moves `top` to the counter plus one and forgets the `skipped` counters in between. */
  #moveTop(skipped: number, low: number, high: number): void {
    const words = this.#words;
    const at = this.#at;
    if (skipped >= REPLAY_WINDOW_ENTRIES) {
      words.fill(0, at, at + BITMAP_WORDS);
    } else if (skipped > 0) {
      this.#clear((words[at + TOP_LOW] ?? 0) & INDEX_MASK, skipped);
    }
    // The counter's own bit may be left from 1024 counters ago; the caller sets it anyway.
    const isCarry = low === HALF_MAX;
    words[at + TOP_LOW] = isCarry ? 0 : low + 1;
    words[at + TOP_HIGH] = isCarry ? high + 1 : high;
  }

  /** Clears `count` bits from `start` on, around the end, whole words at a time where possible. */
  #clear(start: number, count: number): void {
    const words = this.#words;
    let index = start;
    let left = count;
    while (left > 0) {
      const bit = index & 31;
      const run = Math.min(32 - bit, left);
      const mask = run === 32 ? -1 : ((1 << run) - 1) << bit;
      const place = this.#at + (index >>> 5);
      words[place] = (words[place] ?? 0) & ~mask;
      index = (index + run) & INDEX_MASK;
      left -= run;
    }
  }

  #isSeen(index: number): boolean {
    return ((this.#words[this.#at + (index >>> 5)] ?? 0) & (1 << (index & 31))) !== 0;
  }

  #mark(index: number): void {
    const words = this.#words;
    const place = this.#at + (index >>> 5);
    words[place] = (words[place] ?? 0) | (1 << (index & 31));
  }
}
