/**
 * Progress of long work on standard error: a bar on a terminal, a plain line every few seconds
 * elsewhere, nothing with `--quiet` or `--json` off a terminal.
 */
import { formatBytes, formatDuration } from "./format.ts";
import type { Io } from "./io.ts";

/** A terminal is repainted at most this often. */
const REPAINT_MS = 100;

/** Elsewhere the first line comes after this time, and then one per interval. */
const PLAIN_LINE_MS = 5000;

/** Rate is smoothed over about this time. */
const RATE_WINDOW_MS = 3000;

const BAR_CELLS = 24;

/** Progress of one piece of work. */
export interface Progress {
  /**
   * Tells how far the work is.
   *
   * @param doneBytes Bytes done so far.
   * @param totalBytes Bytes in all; `undefined` when nobody knows.
   */
  update(doneBytes: number, totalBytes: number | undefined): void;
  /** Removes the bar; idempotent. */
  end(): void;
}

/** Options of {@linkcode createProgress}. */
export interface CreateProgressOptions {
  /** What is being done, for example `put big.iso`. */
  readonly label: string;
  readonly isQuiet: boolean;
}

/** Creates the progress display of one piece of work. */
export function createProgress(
  io: Pick<Io, "isStderrTerminal" | "writeErr" | "now">,
  options: CreateProgressOptions,
): Progress {
  if (options.isQuiet) return { update: () => {}, end: () => {} };
  const startMs = io.now();
  const intervalMs = io.isStderrTerminal ? REPAINT_MS : PLAIN_LINE_MS;
  let shownMs = io.isStderrTerminal ? -Infinity : startMs;
  let isShown = false;
  let sample = { atMs: startMs, bytes: 0 };
  let rate = 0;
  return {
    update: (doneBytes, totalBytes) => {
      const nowMs = io.now();
      if (nowMs - shownMs < intervalMs) return;
      const spanMs = nowMs - sample.atMs;
      if (spanMs > 0) {
        // Exponential smoothing whose weight follows the time passed, so that it suits both intervals.
        const latest = Math.max(0, doneBytes - sample.bytes) / (spanMs / 1000);
        const weight = rate === 0 ? 1 : 1 - Math.exp(-spanMs / RATE_WINDOW_MS);
        rate += (latest - rate) * weight;
        sample = { atMs: nowMs, bytes: doneBytes };
      }
      shownMs = nowMs;
      const text = progressText(options.label, doneBytes, totalBytes, rate);
      io.writeErr(io.isStderrTerminal ? `\r\x1b[2K${text}` : `${text}\n`);
      isShown = io.isStderrTerminal;
    },
    end: () => {
      if (isShown) io.writeErr("\r\x1b[2K");
      isShown = false;
    },
  };
}

/**
 * One line of progress.
 *
 * @param rate Bytes per second.
 */
export function progressText(
  label: string,
  doneBytes: number,
  totalBytes: number | undefined,
  rate: number,
): string {
  const speed = `${formatBytes(rate)}/s`;
  if (totalBytes === undefined || totalBytes <= 0) {
    return `${label}  ${formatBytes(doneBytes)}  ${speed}`;
  }
  const share = Math.min(1, Math.max(0, doneBytes / totalBytes));
  const cells = Math.floor(share * BAR_CELLS);
  const bar = "#".repeat(cells) + ".".repeat(BAR_CELLS - cells);
  const left = rate > 0 ? formatDuration(((totalBytes - doneBytes) / rate) * 1000) : "?";
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `${label}  [${bar}] ${percent}%  ${formatBytes(doneBytes)} of ${
    formatBytes(totalBytes)
  }  ${speed}  ${left} left`;
}
