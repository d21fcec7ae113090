/** Writes a part of a segment that may not have reached the device once more, as it was. */
import type { DiskFile } from "../../../base/mod.ts";
import { FOUND_BYTES_MAX, PAGE_RECORDS, READ_WINDOW_BYTES } from "./limits.ts";
import { PayloadWindow } from "./payload_window.ts";
import { INDEX_BYTES, TIME_BYTES } from "./record_format.ts";
import { isPayloadSound, readIndex } from "./scan_segment.ts";
import type { SegmentContent } from "./segment_content.ts";
import type { SegmentFiles } from "./segment_files.ts";
import type { Slices } from "./slices.ts";

/**
 * Writes what lies between two sizes again, after checking that it can still be read as it was written.
 *
 * @throws Error when it cannot: then it is lost.
 */
export async function writeAgain(
  { idx, dat, ts }: SegmentFiles,
  from: SegmentContent,
  to: SegmentContent,
  slices: Slices,
): Promise<void> {
  const payloads = new PayloadWindow(dat);
  for (let start = from.records; start < to.records; start += PAGE_RECORDS) {
    const page = readIndex(idx, start, Math.min(PAGE_RECORDS, to.records - start));
    for (let at = 0; at < page.count; at++) {
      if (!isPayloadSound(page, at, payloads)) {
        throw new Error(`record ${start + at} cannot be read any more`);
      }
    }
    if (slices.isOver) await slices.rest();
  }
  await writeRanges({ idx, dat, ts }, from, to, slices);
}

/** Sizes of a segment's files, in records, bytes and times. */
type SegmentSizes = Pick<SegmentContent, "records" | "datBytes" | "times">;

/**
 * Writes again what was found behind the part that is known to be on the device, if it is not too much. A
 * program before this one may have met a sync that failed, and what it had written is read from memory.
 */
export async function writeFoundAgain(
  files: Pick<SegmentFiles, "idx" | "dat" | "ts">,
  from: SegmentSizes,
  to: SegmentSizes,
  slices: Slices,
  bytesMax = FOUND_BYTES_MAX,
): Promise<void> {
  const bytes = to.datBytes - from.datBytes + (to.records - from.records) * INDEX_BYTES;
  if (bytes <= bytesMax) await writeRanges(files, from, to, slices);
}

async function writeRanges(
  { idx, dat, ts }: Pick<SegmentFiles, "idx" | "dat" | "ts">,
  from: SegmentSizes,
  to: SegmentSizes,
  slices: Slices,
): Promise<void> {
  await writeRange(dat, from.datBytes, to.datBytes, slices);
  await writeRange(idx, from.records * INDEX_BYTES, to.records * INDEX_BYTES, slices);
  await writeRange(ts, from.times.entries * TIME_BYTES, to.times.entries * TIME_BYTES, slices);
}

async function writeRange(file: DiskFile, from: number, to: number, slices: Slices): Promise<void> {
  const buffer = new Uint8Array(Math.min(READ_WINDOW_BYTES, Math.max(0, to - from)));
  for (let at = from; at < to; at += buffer.length) {
    const part = buffer.subarray(0, Math.min(buffer.length, to - at));
    if (file.readAt(at, part) !== part.length) throw new Error(`a file ends before ${to}`);
    file.writeAt(at, part);
    if (slices.isOver) await slices.rest();
  }
}
