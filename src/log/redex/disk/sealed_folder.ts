/** The folder of full segments: what is in it, and putting it in order (`docs/redex.md`). */
import type { Disk } from "../../../base/mod.ts";
import {
  ASIDE_SUFFIX,
  GONE_SUFFIX,
  NEW_SUFFIX,
  parseSealedName,
  SEAL_NAME,
  SEALED_NAME,
} from "./own_names.ts";
import { recoverSegment } from "./recover_segment.ts";
import { nothingVerified, scanSegment } from "./scan_segment.ts";
import { SealedSegment, writeSeal } from "./sealed_segment.ts";
import { closeSegmentFiles, openSegmentFiles, syncSegmentFiles } from "./segment_files.ts";
import { soundCount } from "./segment_content.ts";
import type { Slices } from "./slices.ts";
import { fitsSizes, readNote } from "./verified_part.ts";

/** A full segment by its name. */
export interface SealedEntry {
  readonly name: string;
  readonly path: string;
  readonly generation: number;
}

/** Folders of full segments, oldest first. */
export function listSealed(disk: Disk, folder: string): SealedEntry[] {
  const entries: SealedEntry[] = [];
  for (const { name, isFolder } of disk.list(`${folder}/${SEALED_NAME}`)) {
    const parsed = isFolder ? parseSealedName(name) : undefined;
    if (parsed === undefined) continue;
    entries.push({ name, path: `${folder}/${SEALED_NAME}/${name}`, generation: parsed.generation });
  }
  return entries;
}

/**
 * Opens the full segments, oldest first, after ending what a crash interrupted. One that was not sealed is
 * verified as the live one is. One whose numbers do not lie before those that follow is set aside.
 *
 * @param liveFirstSeq Number of the first live record; −1 without one.
 */
export async function openSealedSegments(
  disk: Disk,
  folder: string,
  liveFirstSeq: number,
  nowNs: bigint,
  slices: Slices,
): Promise<SealedSegment[]> {
  endInterrupted(disk, folder);
  const segments: SealedSegment[] = [];
  for (const entry of listSealed(disk, folder)) {
    const note = readNote(disk, `${entry.path}/${SEAL_NAME}`);
    const segment = note !== undefined && fitsSizes(disk, entry.path, note)
      ? new SealedSegment(disk, entry.path, entry.generation, note.content)
      : await recoverSealed(disk, entry, nowNs, slices);
    if (segment !== undefined) segments.push(segment);
    if (slices.isOver) await slices.rest();
  }
  return keepOrdered(disk, segments, liveFirstSeq);
}

/** Removes a full segment, so that a crash leaves it whole or gone. */
export function removeSealed(disk: Disk, segment: SealedSegment): void {
  segment.close();
  const gone = `${segment.folder}${GONE_SUFFIX}`;
  disk.remove(gone);
  disk.rename(segment.folder, gone);
  disk.remove(gone);
}

/** Puts a segment that was written anew in the place of the old one. */
export function replaceSealedFolder(disk: Disk, path: string): void {
  disk.remove(`${path}${GONE_SUFFIX}`);
  disk.rename(path, `${path}${GONE_SUFFIX}`);
  disk.rename(`${path}${NEW_SUFFIX}`, path);
  disk.remove(`${path}${GONE_SUFFIX}`);
}

function endInterrupted(disk: Disk, folder: string): void {
  const sealed = `${folder}/${SEALED_NAME}`;
  for (const { name } of disk.list(sealed)) {
    if (name.endsWith(NEW_SUFFIX)) {
      const path = `${sealed}/${name.slice(0, -NEW_SUFFIX.length)}`;
      // The old one goes only when the new one has its seal.
      const isOldThere = disk.sizeOf(`${path}/idx`) !== undefined;
      if (!isOldThere && readNote(disk, `${sealed}/${name}/${SEAL_NAME}`) !== undefined) {
        disk.rename(`${sealed}/${name}`, path);
      } else disk.remove(`${sealed}/${name}`);
    }
  }
  for (const { name } of disk.list(sealed)) {
    if (name.endsWith(GONE_SUFFIX)) disk.remove(`${sealed}/${name}`);
  }
}

async function recoverSealed(
  disk: Disk,
  { path, generation }: SealedEntry,
  nowNs: bigint,
  slices: Slices,
): Promise<SealedSegment | undefined> {
  let files = openSegmentFiles(disk, path, { create: true });
  try {
    const verified = nothingVerified();
    const scan = await scanSegment(files, verified, slices);
    const recovered = await recoverSegment({ disk, files, verified, scan, nowNs, slices });
    files = recovered.files;
    await syncSegmentFiles(files);
    const { content } = recovered;
    await writeSeal(disk, path, generation, { files, content });
    if (soundCount(content) === 0) return undefined;
    return new SealedSegment(disk, path, generation, content);
  } finally {
    closeSegmentFiles(files);
  }
}

function keepOrdered(
  disk: Disk,
  segments: readonly SealedSegment[],
  liveFirstSeq: number,
): SealedSegment[] {
  const kept: SealedSegment[] = [];
  let before = liveFirstSeq < 0 ? Infinity : liveFirstSeq;
  for (const segment of segments.toReversed()) {
    const { firstSeq, lastSeq } = segment.content;
    if (lastSeq < before) {
      kept.push(segment);
      before = firstSeq;
    } else disk.rename(segment.folder, `${segment.folder}${ASIDE_SUFFIX}`);
  }
  return kept.reverse();
}
