/** Whether a note still fits the files of its segment. */
import type { Disk } from "../../../base/mod.ts";
import { decodeSegmentNote, NOTE_BYTES_MAX, type SegmentNote } from "./segment_note.ts";
import { hashLastRecord } from "./sealed_segment.ts";
import { INDEX_BYTES, TIME_BYTES } from "./record_format.ts";
import type { SegmentFiles } from "./segment_files.ts";
import { readWhole } from "./whole_file.ts";

/** Reads a note; `undefined` when there is none, or it is damaged. */
export function readNote(disk: Disk, path: string): SegmentNote | undefined {
  const bytes = readWhole(disk, path, NOTE_BYTES_MAX);
  return bytes === undefined ? undefined : decodeSegmentNote(bytes);
}

/** True when the files hold at least what the note says, and end there with the same record. */
export function fitsFiles({ content, lastRecordHash }: SegmentNote, files: SegmentFiles): boolean {
  const { records, datBytes } = content;
  return files.idx.size() >= records * INDEX_BYTES && files.dat.size() >= datBytes &&
    hashLastRecord(files, records) === lastRecordHash;
}

/** The same of a full segment that is not open: its files are as long as the note says. */
export function fitsSizes(disk: Disk, folder: string, { content }: SegmentNote): boolean {
  const { records, datBytes, times } = content;
  return disk.sizeOf(`${folder}/idx`) === records * INDEX_BYTES &&
    disk.sizeOf(`${folder}/dat`) === datBytes &&
    disk.sizeOf(`${folder}/ts`) === times.entries * TIME_BYTES;
}
