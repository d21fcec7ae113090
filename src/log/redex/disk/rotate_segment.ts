/**
 * Makes a full live segment a sealed one, and begins the next with the append that found no room
 * (`docs/redex.md`).
 *
 * The new generation is whole and on the device before the old one is moved away, so at every moment the
 * reference finds a live segment that is not empty and whose numbers go on.
 */
import type { Disk } from "../../../base/mod.ts";
import { RedexError } from "../error.ts";
import { DamageRuns } from "./damage_runs.ts";
import { describe, diskFailure } from "./disk_failure.ts";
import { switchManifest } from "./generations.ts";
import { GENERATION_MAX } from "./limits.ts";
import { SEALED_NAME, sealedName } from "./own_names.ts";
import { generationName } from "./record_format.ts";
import { SealedSegment } from "./sealed_segment.ts";
import { type AppendPlace, Segment } from "./segment.ts";
import { openSegmentFiles } from "./segment_files.ts";
import { alignedTimes } from "./segment_times.ts";

/** What {@linkcode rotateSegment} works with. */
export interface RotateOptions {
  readonly disk: Disk;
  /** The channel's folder. */
  readonly folder: string;
  readonly live: Segment;
  readonly generation: number;
  readonly payloads: readonly Uint8Array[];
  readonly place: AppendPlace;
  readonly action: string;
}

/** The old segment, not yet on the device, and the new one with the append. */
export interface Rotated {
  readonly sealed: SealedSegment;
  readonly live: Segment;
  readonly generation: number;
  /** A crash finds the new one. */
  readonly isNamed: boolean;
}

/** Begins a new segment, or leaves all as it was. */
export function rotateSegment(options: RotateOptions): Rotated {
  const { disk, folder, live, generation, action } = options;
  const next = nextGeneration(generation, action);
  const sealedFolder = `${folder}/${SEALED_NAME}`;
  const from = `${folder}/${generationName(generation)}`;
  const to = `${sealedFolder}/${sealedName(live.firstSeq, generation)}`;
  const path = `${folder}/${generationName(next)}`;
  const fresh = createSegment(disk, path);
  let isMoved = false;
  let isNamed: boolean;
  try {
    fresh.append(options.payloads, options.place, folder);
    for (const file of [fresh.files.dat, fresh.files.idx, fresh.files.ts]) file.syncNow();
    disk.syncFolder(path);
    disk.makeFolder(sealedFolder);
    disk.syncFolder(folder);
    disk.rename(from, to);
    isMoved = true;
    disk.syncFolder(sealedFolder);
    isNamed = switchManifest(disk, folder, next);
  } catch (error) {
    fresh.close();
    takeBack(options, { path, from, to, sealedFolder, isMoved }, error);
    throw diskFailure(error, action);
  }
  const sealed = new SealedSegment(disk, to, generation, live.content, live);
  return { sealed, live: fresh, generation: next, isNamed };
}

/** The generation after this one. */
export function nextGeneration(generation: number, action: string): number {
  if (generation < GENERATION_MAX) return generation + 1;
  throw new RedexError("io", `${action}: generations end at 2^32`, {
    next: "read it into a new log",
  });
}

/** An empty segment in a folder of its own, which replaces what is there. */
export function createSegment(disk: Disk, path: string): Segment {
  try {
    disk.remove(path);
    disk.makeFolder(path);
    return new Segment(openSegmentFiles(disk, path, { createNew: true }), {
      records: 0,
      datBytes: 0,
      heapBytes: 0,
      firstSeq: -1,
      lastSeq: -1,
      damage: new DamageRuns(),
      times: alignedTimes(0),
    });
  } catch (error) {
    throw diskFailure(error, "Cannot begin a new segment");
  }
}

/** Puts the names back as they were, for good: a crash must not find half of a rotation that has failed. */
function takeBack(
  { disk, folder, live }: RotateOptions,
  { path, from, to, sealedFolder, isMoved }: {
    readonly path: string;
    readonly from: string;
    readonly to: string;
    readonly sealedFolder: string;
    readonly isMoved: boolean;
  },
  cause: unknown,
): void {
  try {
    if (isMoved) {
      disk.rename(to, from);
      disk.syncFolder(sealedFolder);
    }
    disk.remove(path);
    disk.syncFolder(folder);
  } catch (error) {
    live.poison(
      `a new segment failed (${describe(cause)}) and the old one could not be put back ` +
        `(${describe(error)})`,
    );
  }
}
