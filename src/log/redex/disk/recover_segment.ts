/** Makes the files of a segment fit for appends (`storage.md` 3.2, steps 2 to 7). */
import type { Disk, DiskFile } from "../../../base/mod.ts";
import { RedexError } from "../error.ts";
import type { DamageRuns } from "./damage_runs.ts";
import { READ_WINDOW_BYTES } from "./limits.ts";
import { INDEX_BYTES, TIME_BYTES } from "./record_format.ts";
import type { SegmentScan, VerifiedPart } from "./scan_segment.ts";
import type { SegmentContent } from "./segment_content.ts";
import type { SegmentFiles } from "./segment_files.ts";
import { type SegmentTimes, shortTimes } from "./segment_times.ts";
import type { Slices } from "./slices.ts";

/** Files and content; the files may be others than before. */
export interface RecoveredSegment {
  readonly files: SegmentFiles;
  readonly content: SegmentContent;
}

/** What {@linkcode recoverSegment} works with. */
export interface RecoverOptions {
  readonly disk: Disk;
  readonly files: SegmentFiles;
  readonly verified: VerifiedPart;
  readonly scan: SegmentScan;
  /** Time of records that have none. */
  readonly nowNs: bigint;
  readonly slices: Slices;
}

/**
 * Cuts off what the scan found to be torn, and finds out which time belongs to which record.
 *
 * @throws RedexError `seq_out_of_range` for numbers this engine cannot hold; nothing is changed then.
 */
export async function recoverSegment(options: RecoverOptions): Promise<RecoveredSegment> {
  const { scan } = options;
  refuseLargeSeq(scan, options.files.folder);
  if (scan.isBeyondList) throw tooDamaged(options.files.folder);
  const records = scan.disorderAt ?? scan.records;
  cutTo(options.files.idx, records * INDEX_BYTES);
  cutTo(options.files.dat, scan.datBytes);
  const { files, times } = await recoverTimes(options, records);
  const { datBytes, heapBytes, firstSeq, lastSeq, damage } = scan;
  return { files, content: { records, datBytes, heapBytes, firstSeq, lastSeq, damage, times } };
}

/** Throws when a sound record has a number from 2^53 on. */
export function refuseLargeSeq({ seqTooLarge }: SegmentScan, folder: string): void {
  if (seqTooLarge === undefined) return;
  throw new RedexError(
    "seq_out_of_range",
    `Cannot open "${folder}": a record has the number ${seqTooLarge}, must be below 2^53`,
    {
      next:
        "open it with the program that wrote it; or, if no program has come so far, it is damage that " +
        "net log repair takes out",
    },
  );
}

function tooDamaged(folder: string): RedexError {
  return new RedexError("decode", `Cannot open "${folder}": too many of its records are damaged`, {
    next: "write it anew with net log repair",
  });
}

/** Shortens a file, never lengthens it. */
export function cutTo(file: DiskFile, size: number): void {
  if (file.size() > size) file.truncate(size);
}

/** How the times belong to `records` records, of which those of the verified part are known. */
async function recoverTimes(
  options: RecoverOptions,
  records: number,
): Promise<{ readonly files: SegmentFiles; readonly times: SegmentTimes }> {
  const { files, verified, scan, nowNs } = options;
  const { damage } = scan;
  const sound = records - damage.total;
  const entries = Math.floor(files.ts.size() / TIME_BYTES);
  const before = verified.times;
  const added = records - verified.records;
  const damagedAdded = damage.total - verified.damageTotal;
  // Times of the added records if none of them were damaged, and of the sound ones.
  const full = before.entries + added;
  const expected = full - damagedAdded;
  if (damagedAdded > 0 && entries >= full) {
    const kept = await keepSoundTimes(options, records);
    return { files: kept, times: { ...before, entries: expected } };
  }
  if (entries >= expected) {
    // Or an earlier recovery left the times of the sound ones only, and appends went on from there.
    cutTo(files.ts, expected * TIME_BYTES);
    return { files, times: { ...before, entries: expected } };
  }
  cutTo(files.ts, entries * TIME_BYTES);
  if (verified.records === 0 || entries < before.entries) {
    return { files, times: shortTimes(entries, sound, nowNs) };
  }
  // What is there belongs to the first ones: a write of times did not reach the device.
  const missing = new BigUint64Array(expected - entries).fill(nowNs);
  files.ts.writeAt(entries * TIME_BYTES, new Uint8Array(missing.buffer));
  return { files, times: { ...before, entries: expected } };
}

/** Writes the times of sound records aside and puts them in the place of the file of times. */
async function keepSoundTimes(
  { disk, files, verified, scan, slices }: RecoverOptions,
  records: number,
): Promise<SegmentFiles> {
  const path = `${files.folder}/ts`;
  const aside = disk.open(`${path}.tmp`, { create: true });
  try {
    aside.truncate(0);
    let to = await copyBytes(files.ts, 0, verified.times.entries * TIME_BYTES, aside, 0, slices);
    const shift = verified.records - verified.times.entries;
    for (const { start, end } of soundRuns(scan.damage, verified.records, records)) {
      const from = (start - shift) * TIME_BYTES;
      to += await copyBytes(files.ts, from, (end - shift) * TIME_BYTES, aside, to, slices);
    }
    aside.syncNow();
  } finally {
    aside.close();
  }
  disk.rename(`${path}.tmp`, path);
  disk.syncFolder(files.folder);
  files.ts.close();
  return { ...files, ts: disk.open(path) };
}

function* soundRuns(
  damage: DamageRuns,
  from: number,
  to: number,
): Generator<{ readonly start: number; readonly end: number }> {
  let start = from;
  for (const run of damage) {
    if (run.start >= to) break;
    if (run.start > start) yield { start, end: run.start };
    start = Math.max(start, run.start + run.count);
  }
  if (start < to) yield { start, end: to };
}

/** Copies a part of a file to a place in another; its bytes. */
export async function copyBytes(
  from: DiskFile,
  start: number,
  end: number,
  target: DiskFile,
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
