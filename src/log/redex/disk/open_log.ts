/** Brings a channel folder in order and opens its segments (`storage.md` 3.2, `docs/redex.md`). */
import type { Clock, Disk } from "../../../base/mod.ts";
import { openGeneration, removeOtherGenerations } from "./generations.ts";
import { REPAIR_RUNS_MAX } from "./limits.ts";
import { CHECKPOINT_NAME, FRESH_NAME, UNSURE_NAME } from "./own_names.ts";
import { generationName } from "./record_format.ts";
import { removeAside } from "./remove_aside.ts";
import { recoverSegment } from "./recover_segment.ts";
import { nothingVerified, scanSegment, verifiedPart } from "./scan_segment.ts";
import type { SealedSegment } from "./sealed_segment.ts";
import { firstSeqBehindSealed, openSealedSegments } from "./sealed_folder.ts";
import { Segment } from "./segment.ts";
import { closeSegmentFiles, openSegmentFiles, syncSegmentFiles } from "./segment_files.ts";
import { Slices } from "./slices.ts";
import { isMarkedUnsure } from "./unsure_mark.ts";
import { fitsFiles, readNote } from "./verified_part.ts";
import { writeFoundAgain } from "./write_again.ts";

/** What {@linkcode openLog} works with. */
export interface OpenLogOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The channel's folder; made when there is none. */
  readonly folder: string;
  /** Nothing that was noted is believed, and much more damage than usual is borne. */
  readonly isRepair?: boolean;
  readonly signal?: AbortSignal;
}

/** The segments of a channel, all of it on the device. */
export interface OpenedLog {
  readonly generation: number;
  readonly live: Segment;
  readonly sealed: readonly SealedSegment[];
  /** Records below are forgotten. */
  readonly keepFrom: number;
  readonly nextSeq: number;
  /** Records of the live segment that the checkpoint vouched for. */
  readonly recordsTrusted: number;
}

/** Opens a channel folder; what it finds torn is cut off. */
export async function openLog(options: OpenLogOptions): Promise<OpenedLog> {
  const { disk, clock, folder, isRepair = false, signal } = options;
  const slices = new Slices(clock, signal);
  const nowNs = wallNs(clock);
  const isUnsure = isMarkedUnsure(disk, folder);
  const generation = openGeneration(disk, folder);
  await removeAside(disk, `${folder}/${FRESH_NAME}`);
  let files = openSegmentFiles(disk, `${folder}/${generationName(generation)}`);
  try {
    const note = readNote(disk, `${folder}/${CHECKPOINT_NAME}`);
    const isTrusted = note !== undefined && note.generation === generation && !isRepair &&
      fitsFiles(note, files);
    const runsMax = isRepair ? REPAIR_RUNS_MAX : undefined;
    const verified = isTrusted ? verifiedPart(note.content) : nothingVerified(runsMax);
    const recordsTrusted = verified.records;
    const bounds = {
      seqFrom: verified.records > 0 ? 0 : firstSeqBehindSealed(disk, folder),
      isLargeSeqDamage: isRepair,
    };
    const scan = await scanSegment(files, verified, slices, undefined, bounds);
    const recovered = await recoverSegment({ disk, files, verified, scan, nowNs, slices });
    files = recovered.files;
    const { content } = recovered;
    const sealed = await openSealedSegments(
      { disk, folder, nowNs, slices, isRepair, isUnsure, note },
      content.firstSeq,
    );
    await removeOtherGenerations(disk, folder, generation);
    if (content.records > recordsTrusted || !isTrusted) {
      await writeFoundAgain(files, verified, content, slices, isUnsure ? Infinity : undefined);
      await syncSegmentFiles(files);
    }
    if (isUnsure) disk.remove(`${folder}/${UNSURE_NAME}`);
    const lastSealed = sealed[sealed.length - 1]?.content.lastSeq ?? -1;
    const nextSeq = Math.max(content.lastSeq, lastSealed) + 1;
    const keepFrom = note?.keepFrom ?? 0;
    // The reference begins anew at 0 in a log that was emptied: nothing of that is hidden.
    const isRestarted = content.firstSeq >= 0 && content.lastSeq < keepFrom &&
      !(isTrusted && note.content.records > 0);
    return {
      generation,
      live: new Segment(files, content),
      sealed,
      keepFrom: isRestarted ? 0 : keepFrom,
      nextSeq: Math.max(nextSeq, note?.nextSeq ?? 0),
      recordsTrusted,
    };
  } catch (error) {
    closeSegmentFiles(files);
    throw error;
  }
}

/** The clock's time of day in nanoseconds. */
export function wallNs(clock: Clock): bigint {
  return BigInt(Math.round(clock.wallMs() * 1000)) * 1000n;
}
