/**
 * Writes the live segment anew as the next generation, without what is forgotten or damaged
 * (`storage.md` 3.3).
 *
 * Appends go on meanwhile. Until the manifest names the new generation the old one is whole.
 */
import type { Disk } from "../../../base/mod.ts";
import { RedexError } from "../error.ts";
import { GENERATION_MAX, READ_WINDOW_BYTES } from "./limits.ts";
import { readSegment } from "./read_segment.ts";
import { encodeRecords } from "./record_encoder.ts";
import { writeManifest } from "./generations.ts";
import { generationName } from "./record_format.ts";
import { DamageRuns } from "./damage_runs.ts";
import { Segment } from "./segment.ts";
import { openSegmentFiles, syncSegmentFiles } from "./segment_files.ts";
import { alignedTimes } from "./segment_times.ts";
import type { Slices } from "./slices.ts";

/** What is compacted. */
export interface CompactSegmentOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly slices: Slices;
  readonly segment: Segment;
  readonly generation: number;
  readonly firstSeq: number;
}

/** Writes, names and returns the new generation; the old one's files are removed but still open. */
export async function compactSegment(
  options: CompactSegmentOptions,
): Promise<{ readonly segment: Segment; readonly generation: number }> {
  const { disk, folder, slices, segment: old } = options;
  const generation = options.generation + 1;
  if (generation > GENERATION_MAX) {
    throw new RedexError("io", `Cannot compact log "${folder}": generations end at 2^32`);
  }
  const path = `${folder}/${generationName(generation)}`;
  disk.remove(path);
  disk.makeFolder(path);
  const fresh = createSegment(disk, path);
  try {
    let next = options.firstSeq;
    const copy = async () => {
      while (next <= old.lastSeq) {
        next = copySome(old, fresh, next);
        if (slices.isOver) await slices.rest();
      }
    };
    await copy();
    await syncSegmentFiles(fresh.files);
    // What was appended during that: not acknowledged as durable, as this is its own turn.
    while (next <= old.lastSeq) next = copySome(old, fresh, next);
    disk.syncFolder(path);
    disk.syncFolder(folder);
    writeManifest(disk, folder, generation);
  } catch (error) {
    fresh.close();
    disk.remove(path);
    throw error;
  }
  disk.remove(`${folder}/${generationName(options.generation)}`);
  return { segment: fresh, generation };
}

function createSegment(disk: Disk, path: string): Segment {
  return new Segment(openSegmentFiles(disk, path, { createNew: true }), {
    records: 0,
    datBytes: 0,
    heapBytes: 0,
    firstSeq: -1,
    lastSeq: -1,
    damage: new DamageRuns(),
    times: alignedTimes(0),
  });
}

/** Copies a window of records; the number to go on from. */
function copySome(old: Segment, fresh: Segment, from: number): number {
  const progress = {
    records: [],
    damaged: [],
    next: from,
    recordsLeft: 1024,
    bytesLeft: READ_WINDOW_BYTES,
  } as Parameters<typeof readSegment>[2];
  readSegment(old, Infinity, progress);
  for (const { seq, payload, timeNs } of progress.records) {
    const encoded = encodeRecords([payload], seq, fresh.datBytes, timeNs, false);
    fresh.append(encoded, seq, "Cannot compact");
  }
  return progress.records.length + progress.damaged.length === 0 ? Infinity : progress.next;
}
