/** Reads all of a channel's folder and says what is in it and what is wrong; changes nothing. */
import { type Clock, type Disk, type DiskFile, systemClock } from "../../../base/mod.ts";
import { diskFailure } from "./disk_failure.ts";
import type {
  DamagedRecord,
  FolderReport,
  NoteState,
  SegmentReport,
  TimesState,
} from "./folder_report.ts";
import { findGeneration, listGenerations } from "./generations.ts";
import { DAMAGED_LISTED } from "./limits.ts";
import {
  ASIDE_SUFFIX,
  CHECKPOINT_NAME,
  FRESH_NAME,
  GONE_SUFFIX,
  NEW_SUFFIX,
  SEAL_NAME,
  SEALED_NAME,
} from "./own_names.ts";
import {
  generationName,
  INDEX_BYTES,
  MANIFEST_TEMP_NAME,
  SEGMENT_FILE_NAMES,
  TIME_BYTES,
} from "./record_format.ts";
import { nothingVerified, readIndex, scanSegment, type SegmentScan } from "./scan_segment.ts";
import { listSealed } from "./sealed_folder.ts";
import { closeSegmentFiles, type SegmentFiles } from "./segment_files.ts";
import { Slices } from "./slices.ts";
import { fitsFiles, readNote } from "./verified_part.ts";

/** Options of {@linkcode verifyFolder}. */
export interface VerifyFolderOptions {
  /** Damaged records that are listed at most; {@linkcode DAMAGED_LISTED} when left out. */
  readonly damagedMax?: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Called after each segment. */
  readonly onSegment?: (segment: SegmentReport) => void;
}

/** A segment that is to be verified. */
export interface SegmentPlace {
  readonly name: string;
  readonly kind: "full" | "live";
  readonly generation: number;
  /** Its note, below the channel's folder. */
  readonly note: string;
}

/**
 * Verifies a channel's folder, every checksum of it.
 *
 * @throws RedexError `io` when it cannot be read.
 * @throws The signal's reason.
 */
export async function verifyFolder(
  disk: Disk,
  folder: string,
  options: VerifyFolderOptions = {},
): Promise<FolderReport> {
  const { clock = systemClock, damagedMax = DAMAGED_LISTED, signal, onSegment } = options;
  const slices = new Slices(clock, signal);
  const damagedRecords: DamagedRecord[] = [];
  const addDamaged = (record: DamagedRecord) => {
    if (damagedRecords.length < damagedMax) damagedRecords.push(record);
  };
  try {
    const chosen = findGeneration(disk, folder);
    const segments: SegmentReport[] = [];
    for (const place of placesOf(disk, folder, chosen)) {
      const report = await verifySegment(disk, folder, place, slices, addDamaged);
      segments.push(report);
      onSegment?.(report);
    }
    const leftovers = listLeftovers(disk, folder, chosen?.generation);
    const isManifestSound = chosen?.isNamed === true;
    const sum = (of: (segment: SegmentReport) => number) =>
      segments.reduce((total, segment) => total + of(segment), 0);
    return {
      folder,
      isSound: isManifestSound && leftovers.length === 0 && segments.every(isSegmentSound),
      generation: chosen?.generation,
      isManifestSound,
      segments,
      records: sum(({ records }) => records),
      bytes: sum(({ bytes }) => bytes),
      damaged: sum(({ damaged }) => damaged),
      damagedRecords,
      leftovers,
    };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw diskFailure(error, `Cannot verify log "${folder}"`);
  }
}

function isSegmentSound({ damaged, recordsCut, torn, times, note, kind }: SegmentReport): boolean {
  const isNoteRight = note === "valid" || (kind === "live" && note === "missing");
  return damaged === 0 && recordsCut === 0 && torn.idx + torn.dat + torn.ts === 0 &&
    times === "complete" && isNoteRight;
}

/** The segments of a folder, oldest first. */
export function placesOf(
  disk: Disk,
  folder: string,
  chosen: ReturnType<typeof findGeneration>,
): SegmentPlace[] {
  const places: SegmentPlace[] = listSealed(disk, folder).map(({ name, generation }) => {
    const path = `${SEALED_NAME}/${name}`;
    return { name: path, kind: "full", generation, note: `${path}/${SEAL_NAME}` };
  });
  if (chosen === undefined) return places;
  const name = chosen.isFlat ? "." : generationName(chosen.generation);
  places.push({ name, kind: "live", generation: chosen.generation, note: CHECKPOINT_NAME });
  return places;
}

async function verifySegment(
  disk: Disk,
  folder: string,
  place: SegmentPlace,
  slices: Slices,
  addDamaged: (record: DamagedRecord) => void,
): Promise<SegmentReport> {
  const { name, kind, generation } = place;
  const files = openForReading(disk, `${folder}/${name}`);
  try {
    let damaged = 0;
    const scan = await scanSegment(files, nothingVerified(), slices, (record, seq, reason) => {
      damaged += 1;
      addDamaged({ segment: name, record, seq, reason });
    }, { isLargeSeqDamage: true });
    const end = scan.disorderAt ?? scan.records;
    if (scan.disorderAt !== undefined) {
      const seq = readIndex(files.idx, scan.disorderAt, 1).seq64(0);
      addDamaged({ segment: name, record: scan.disorderAt, seq, reason: "order" });
    }
    const records = end - damaged;
    const { times, torn } = timesOf(files, end, records);
    return {
      name,
      kind,
      generation,
      records,
      bytes: records * INDEX_BYTES + scan.heapBytes,
      firstSeq: scan.firstSeq < 0 ? undefined : BigInt(scan.firstSeq),
      lastSeq: scan.lastSeq < 0 ? undefined : BigInt(scan.lastSeq),
      damaged,
      recordsCut: scan.recordsWithoutPayload + scan.records - end,
      torn: { idx: scan.tornIndexBytes, dat: scan.datFileBytes - scan.datBytes, ts: torn },
      times,
      note: noteState(disk, `${folder}/${place.note}`, generation, files, scan),
    };
  } finally {
    closeSegmentFiles(files);
  }
}

function timesOf(
  { ts }: SegmentFiles,
  records: number,
  sound: number,
): { readonly times: TimesState; readonly torn: number } {
  const size = ts.size();
  const torn = size % TIME_BYTES;
  const entries = (size - torn) / TIME_BYTES;
  if (entries === records || entries === sound) return { times: "complete", torn };
  if (entries > records) return { times: "long", torn };
  return { times: entries === 0 ? "missing" : "short", torn };
}

function noteState(
  disk: Disk,
  path: string,
  generation: number,
  files: SegmentFiles,
  scan: SegmentScan,
): NoteState {
  if (disk.sizeOf(path) === undefined) return "missing";
  const note = readNote(disk, path);
  if (note === undefined) return "damaged";
  const isRight = note.generation === generation && fitsFiles(note, files) &&
    note.content.records <= scan.records;
  return isRight ? "valid" : "stale";
}

function listLeftovers(disk: Disk, folder: string, live: number | undefined): string[] {
  const leftovers: string[] = [];
  for (const generation of listGenerations(disk, folder)) {
    if (generation !== live) leftovers.push(generationName(generation));
  }
  for (const { name } of disk.list(folder)) {
    if (name === MANIFEST_TEMP_NAME || name === FRESH_NAME) leftovers.push(name);
  }
  for (const { name } of disk.list(`${folder}/${SEALED_NAME}`)) {
    const isLeft = [GONE_SUFFIX, NEW_SUFFIX, ASIDE_SUFFIX].some((suffix) => name.endsWith(suffix));
    if (isLeft) leftovers.push(`${SEALED_NAME}/${name}`);
  }
  return leftovers;
}

/** Opens the files of a segment for reading; one that is not there is empty. */
export function openForReading(disk: Disk, path: string): SegmentFiles {
  const opened: DiskFile[] = [];
  try {
    const [idx, dat, ts] = SEGMENT_FILE_NAMES.map((name) => {
      const isThere = disk.sizeOf(`${path}/${name}`) !== undefined;
      const file = isThere ? disk.open(`${path}/${name}`, { readOnly: true }) : EMPTY_FILE;
      opened.push(file);
      return file;
    }) as [DiskFile, DiskFile, DiskFile];
    return { folder: path, idx, dat, ts };
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

const EMPTY_FILE: DiskFile = {
  size: () => 0,
  readAt: () => 0,
  writeAt: () => {},
  truncate: () => {},
  sync: () => Promise.resolve(),
  syncNow: () => {},
  close: () => {},
};
