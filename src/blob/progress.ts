/** How far long work on a blob is. */
import type { Clock } from "../base/mod.ts";

/** One report of progress. */
export interface BlobProgress {
  /** What is going on: `store`, `resolve`, `fetch` or `finish`. */
  readonly stage: string;
  readonly doneBytes: number;
  /** `undefined` when nobody knows. */
  readonly totalBytes: number | undefined;
  /** Files of a folder that are done. */
  readonly doneFiles?: number;
  /** Files of a folder; left out when nobody knows. */
  readonly totalFiles?: number;
}

/** Takes reports; called at most every tenth of a second and once at the end of a stage. */
export type OnBlobProgress = (progress: BlobProgress) => void;

const INTERVAL_MS = 100;

/** Thins reports out: `update` passes some of them on, `finish` always. */
export function createProgressGate(clock: Clock, onProgress: OnBlobProgress | undefined): {
  update(progress: BlobProgress): void;
  finish(progress: BlobProgress): void;
} {
  let nextMs = -Infinity;
  const finish = (progress: BlobProgress) => {
    nextMs = clock.now() + INTERVAL_MS;
    onProgress?.(progress);
  };
  return {
    update: (progress) => {
      if (onProgress !== undefined && clock.now() >= nextMs) finish(progress);
    },
    finish,
  };
}
