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

/**
 * Memory of many windows in one array: one of its own would cost a session three times as much.
 *
 * It grows by doubling and is reused; a node has one.
 */
export class ReplayWindows {
  #words = new Uint32Array(4 * WINDOW_WORDS);
  readonly #free: number[] = [];
  #used = 0;

  /** The array all windows lie in; another one after {@linkcode ReplayWindows.take}. */
  get words(): Uint32Array {
    return this.#words;
  }

  /** Where a fresh window starts. */
  take(): number {
    const at = this.#free.pop() ?? this.#used++ * WINDOW_WORDS;
    if (at + WINDOW_WORDS > this.#words.length) {
      const words = new Uint32Array(2 * this.#words.length);
      words.set(this.#words);
      this.#words = words;
    }
    return at;
  }

  /** Clears a window and takes it back. */
  release(at: number): void {
    this.#words.fill(0, at, at + WINDOW_WORDS);
    this.#free.push(at);
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
  readonly #windows: ReplayWindows;

  /** @param windows Memory to lie in; the window's own when left out. */
  constructor(windows = new ReplayWindows()) {
    this.#windows = windows;
    this.#at = windows.take();
  }

  /** Gives the memory back; the window must not be used any more. */
  destroy(): void {
    this.#windows.release(this.#at);
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
    const { words } = this.#windows;
    const at = this.#at;
    return (high - (words[at + TOP_HIGH] ?? 0)) * HALF + (low - (words[at + TOP_LOW] ?? 0));
  }

  /** Moves `top` to the counter plus one and forgets the `skipped` counters in between. */
  #moveTop(skipped: number, low: number, high: number): void {
    const { words } = this.#windows;
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
    const { words } = this.#windows;
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
    return ((this.#windows.words[this.#at + (index >>> 5)] ?? 0) & (1 << (index & 31))) !== 0;
  }

  #mark(index: number): void {
    const { words } = this.#windows;
    const place = this.#at + (index >>> 5);
    words[place] = (words[place] ?? 0) | (1 << (index & 31));
  }
}
