/** Makes the files of a segment fit for appends (`storage.md` 3.2, steps 2 to 7). */
import type { Disk } from "../../../base/mod.ts";
import { RedexError } from "../error.ts";
import type { DamageRuns } from "./damage_runs.ts";
import { READ_WINDOW_BYTES } from "./limits.ts";
import { INDEX_BYTES, TIME_BYTES } from "./record_format.ts";
import type { SegmentScan } from "./scan_segment.ts";
import type { SegmentFiles } from "./segment_files.ts";
import { alignedTimes, type SegmentTimes, shortTimes } from "./segment_times.ts";
import type { Slices } from "./slices.ts";

/** What the files of a segment hold after recovery. */
export interface SegmentContent {
  /** Records of the index file. */
  readonly records: number;
  /** Where the next payload goes. */
  readonly datBytes: number;
  readonly heapBytes: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly damage: DamageRuns;
  readonly times: SegmentTimes;
}

/** Files and content; the files may be others than before. */
export interface RecoveredSegment {
  readonly files: SegmentFiles;
  readonly content: SegmentContent;
}

/**
 * Cuts off what the scan found to be torn.
 *
 * @param nowNs Time of records that have none.
 * @throws RedexError `seq_out_of_range` for numbers this engine cannot hold; nothing is changed then.
 */
export async function recoverSegment(
  disk: Disk,
  files: SegmentFiles,
  scan: SegmentScan,
  nowNs: bigint,
  slices: Slices,
): Promise<RecoveredSegment> {
  refuseLargeSeq(scan, files.folder);
  const { damage, disorderAt } = scan;
  const records = disorderAt ?? scan.records;
  cutTo(files.idx, records * INDEX_BYTES);
  cutTo(files.dat, scan.datBytes);
  const { heapBytes, firstSeq, lastSeq, datBytes } = scan;
  const sound = records - damage.total;
  const entries = Math.floor(files.ts.size() / TIME_BYTES);
  const content = (times: SegmentTimes): SegmentContent => {
    return { records, datBytes, heapBytes, firstSeq, lastSeq, damage, times };
  };
  if (entries >= records && damage.total > 0) {
    const rewritten = await keepSoundTimes(disk, files, damage, records, slices);
    return { files: rewritten, content: content(alignedTimes(sound)) };
  }
  // An earlier recovery left the times of the sound ones only, and appends went on from there.
  const isAligned = entries >= sound;
  cutTo(files.ts, (isAligned ? sound : entries) * TIME_BYTES);
  const times = isAligned ? alignedTimes(sound) : shortTimes(entries, sound, nowNs);
  return { files, content: content(times) };
}

/** Throws when a sound record has a number from 2^53 on. */
export function refuseLargeSeq({ seqTooLarge }: SegmentScan, folder: string): void {
  if (seqTooLarge === undefined) return;
  throw new RedexError(
    "seq_out_of_range",
    `Cannot open "${folder}": a record has the number ${seqTooLarge}, must be below 2^53`,
    { next: "open it with the program that wrote it" },
  );
}

/** Shortens a file, never lengthens it. */
export function cutTo(file: { size(): number; truncate(size: number): void }, size: number): void {
  if (file.size() > size) file.truncate(size);
}

/** Writes the times of sound records aside and puts them in the place of the file of times. */
async function keepSoundTimes(
  disk: Disk,
  files: SegmentFiles,
  damage: DamageRuns,
  records: number,
  slices: Slices,
): Promise<SegmentFiles> {
  const path = `${files.folder}/ts`;
  const aside = disk.open(`${path}.tmp`, { create: true });
  try {
    aside.truncate(0);
    let to = 0;
    for (let start = 0; start < records;) {
      const end = Math.min(damage.nextDamaged(start), records);
      to += await copyBytes(files.ts, start * TIME_BYTES, end * TIME_BYTES, aside, to, slices);
      start = end;
      while (start < records && damage.nextDamaged(start) === start) start += 1;
    }
    aside.syncNow();
  } finally {
    aside.close();
  }
  disk.rename(`${path}.tmp`, path);
  disk.syncFolder(files.folder);
  files.ts.close();
  const ts = disk.open(path);
  return { ...files, ts };
}

async function copyBytes(
  from: { readAt(offset: number, into: Uint8Array): number },
  start: number,
  end: number,
  target: { writeAt(offset: number, bytes: Uint8Array): void },
  to: number,
  slices: Slices,
): Promise<number> {
  const buffer = new Uint8Array(Math.min(READ_WINDOW_BYTES, Math.max(0, end - start)));
  for (let at = start; at < end; at += buffer.length) {
    const part = buffer.subarray(0, Math.min(buffer.length, end - at));
    target.writeAt(to + at - start, part.subarray(0, from.readAt(at, part)));
    if (slices.isOver) await slices.rest();
  }
  return Math.max(0, end - start);
}
