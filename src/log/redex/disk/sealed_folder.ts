/** The folder of full segments: what is in it, and putting it in order (`docs/redex.md`). */
import type { Disk } from "../../../base/mod.ts";
import { REPAIR_RUNS_MAX } from "./limits.ts";
import { removeAside } from "./remove_aside.ts";
import {
  ASIDE_SUFFIX,
  GONE_SUFFIX,
  NEW_SUFFIX,
  parseSealedName,
  SEAL_NAME,
  SEALED_NAME,
} from "./own_names.ts";
import { INDEX_BYTES, SEGMENT_FILE_NAMES, TIME_BYTES } from "./record_format.ts";
import { cutTo, recoverSegment } from "./recover_segment.ts";
import { nothingVerified, scanSegment, verifiedPart } from "./scan_segment.ts";
import type { SegmentNote } from "./segment_note.ts";
import { SealedSegment, writeSeal } from "./sealed_segment.ts";
import { closeSegmentFiles, openSegmentFiles, syncSegmentFiles } from "./segment_files.ts";
import { soundCount } from "./segment_content.ts";
import type { Slices } from "./slices.ts";
import { fitsFiles, fitsSizes, readNote } from "./verified_part.ts";
import { writeFoundAgain } from "./write_again.ts";

/** A full segment by its name. */
export interface SealedEntry {
  readonly name: string;
  readonly path: string;
  readonly generation: number;
  readonly firstSeq: number;
}

/** Folders of full segments, oldest first. */
export function listSealed(disk: Disk, folder: string): SealedEntry[] {
  const entries: SealedEntry[] = [];
  for (const { name, isFolder } of disk.list(`${folder}/${SEALED_NAME}`)) {
    const parsed = isFolder ? parseSealedName(name) : undefined;
    if (parsed === undefined) continue;
    entries.push({ name, path: `${folder}/${SEALED_NAME}/${name}`, ...parsed });
  }
  return entries;
}

/** Number behind the last one that full segments are known to have; 0 without one. */
export function firstSeqBehindSealed(disk: Disk, folder: string): number {
  const last = listSealed(disk, folder).at(-1);
  if (last === undefined) return 0;
  const note = readNote(disk, `${last.path}/${SEAL_NAME}`);
  return (note?.content.lastSeq ?? last.firstSeq) + 1;
}

/** What {@linkcode openSealedSegments} works with. */
export interface OpenSealedOptions {
  readonly disk: Disk;
  /** The channel's folder. */
  readonly folder: string;
  readonly nowNs: bigint;
  readonly slices: Slices;
  /** No seal is believed. */
  readonly isRepair: boolean;
  /** A sync has failed, so all that has no seal is written again. */
  readonly isUnsure: boolean;
  /** The checkpoint, which may still be that of a segment that has become a full one. */
  readonly note: SegmentNote | undefined;
}

/**
 * Opens the full segments, oldest first, after ending what a crash interrupted. One that was not sealed is
 * verified as the live one is. One whose numbers do not lie before those that follow is set aside.
 *
 * @param liveFirstSeq Number of the first live record; −1 without one.
 */
export async function openSealedSegments(
  options: OpenSealedOptions,
  liveFirstSeq: number,
): Promise<SealedSegment[]> {
  const { disk, folder, slices, isRepair } = options;
  await endInterrupted(disk, folder);
  const segments: SealedSegment[] = [];
  let seqEnd = liveFirstSeq < 0 ? Infinity : liveFirstSeq;
  // From the last one on, because each ends where the next one begins.
  for (const entry of listSealed(disk, folder).reverse()) {
    const known = isRepair ? undefined : openSealed(disk, entry);
    const segment = known ?? await recoverSealed(options, entry, seqEnd);
    if (segment === undefined || segment.content.lastSeq >= seqEnd) {
      disk.rename(entry.path, `${entry.path}${ASIDE_SUFFIX}`);
    } else if (soundCount(segment.content) > 0) {
      segments.push(segment);
      seqEnd = segment.content.firstSeq;
    }
    if (slices.isOver) await slices.rest();
  }
  return segments.reverse();
}

/**
 * Removes full segments, each so that a crash leaves it whole or gone.
 *
 * @throws What the disk said of the first one that could not be removed, after the others were.
 */
export async function removeAllSealed(
  disk: Disk,
  segments: readonly SealedSegment[],
): Promise<void> {
  const failures: unknown[] = [];
  for (const segment of segments) {
    segment.close();
    const gone = `${segment.folder}${GONE_SUFFIX}`;
    try {
      disk.remove(gone);
      disk.rename(segment.folder, gone);
      await removeAside(disk, gone);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Puts a segment that was written anew in the place of the old one. */
export function replaceSealedFolder(disk: Disk, path: string): void {
  disk.remove(`${path}${GONE_SUFFIX}`);
  disk.rename(path, `${path}${GONE_SUFFIX}`);
  try {
    disk.rename(`${path}${NEW_SUFFIX}`, path);
  } catch (error) {
    disk.rename(`${path}${GONE_SUFFIX}`, path);
    throw error;
  }
}

/** Removes what {@linkcode replaceSealedFolder} put out of the way. */
export async function removeReplaced(disk: Disk, path: string): Promise<void> {
  // A crash must not find the old name with files missing.
  disk.syncFolder(path.slice(0, path.lastIndexOf("/")));
  await removeAside(disk, `${path}${GONE_SUFFIX}`);
}

async function endInterrupted(disk: Disk, folder: string): Promise<void> {
  const sealed = `${folder}/${SEALED_NAME}`;
  for (const { name } of disk.list(sealed)) {
    if (name.endsWith(NEW_SUFFIX)) {
      const path = `${sealed}/${name.slice(0, -NEW_SUFFIX.length)}`;
      // The old one goes only when the new one has its seal.
      const isOldThere = disk.sizeOf(`${path}/idx`) !== undefined;
      if (!isOldThere && readNote(disk, `${sealed}/${name}/${SEAL_NAME}`) !== undefined) {
        disk.rename(`${sealed}/${name}`, path);
      } else await removeAside(disk, `${sealed}/${name}`);
    }
  }
  for (const { name } of disk.list(sealed)) {
    if (name.endsWith(GONE_SUFFIX)) await removeAside(disk, `${sealed}/${name}`);
  }
}

/** A segment with a seal; what lies behind it is what an append that failed could not take back for good. */
function openSealed(disk: Disk, { path, generation }: SealedEntry): SealedSegment | undefined {
  const note = readNote(disk, `${path}/${SEAL_NAME}`);
  if (note === undefined) return undefined;
  const { content } = note;
  if (!fitsSizes(disk, path, note)) {
    if (SEGMENT_FILE_NAMES.some((name) => disk.sizeOf(`${path}/${name}`) === undefined)) {
      return undefined;
    }
    const files = openSegmentFiles(disk, path);
    try {
      if (!fitsFiles(note, files) || files.ts.size() < content.times.entries * TIME_BYTES) {
        return undefined;
      }
      cutTo(files.idx, content.records * INDEX_BYTES);
      cutTo(files.dat, content.datBytes);
      cutTo(files.ts, content.times.entries * TIME_BYTES);
    } finally {
      closeSegmentFiles(files);
    }
  }
  return new SealedSegment(disk, path, generation, content);
}

/** A segment without a seal, which gets one; `undefined` when none of its records lies before `seqEnd`. */
async function recoverSealed(
  { disk, nowNs, slices, isRepair, isUnsure, note }: OpenSealedOptions,
  { path, generation, firstSeq }: SealedEntry,
  seqEnd: number,
): Promise<SealedSegment | undefined> {
  let files = openSegmentFiles(disk, path, { create: true });
  try {
    const isNoted = !isRepair && note?.generation === generation && fitsFiles(note, files) &&
      note.content.lastSeq < seqEnd;
    const verified = isNoted
      ? verifiedPart(note.content)
      : nothingVerified(isRepair ? REPAIR_RUNS_MAX : undefined);
    const scan = await scanSegment(files, verified, slices, undefined, {
      seqFrom: firstSeq,
      seqEnd,
      isLargeSeqDamage: isRepair,
    });
    if (scan.firstSeq < 0 && scan.disorderAt !== undefined) return undefined;
    const recovered = await recoverSegment({ disk, files, verified, scan, nowNs, slices });
    files = recovered.files;
    const { content } = recovered;
    await writeFoundAgain(files, verified, content, slices, isUnsure ? Infinity : undefined);
    await syncSegmentFiles(files);
    await writeSeal(disk, path, generation, { files, content });
    return new SealedSegment(disk, path, generation, content);
  } finally {
    closeSegmentFiles(files);
  }
}
