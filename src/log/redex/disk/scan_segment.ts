/**
 * Reads the files of a segment and says what of them is sound (`storage.md` 3.2, steps 2 to 6); changes
 * nothing.
 */
import type { DiskFile } from "../../../base/mod.ts";
import { DamageRuns } from "./damage_runs.ts";
import { PAGE_RECORDS, SEQ_MAX, SLICE_BYTES } from "./limits.ts";
import { judgeNumber, type NumberBounds } from "./judge_number.ts";
import { PayloadWindow } from "./payload_window.ts";
import { INDEX_BYTES, IndexRecords, payloadChecksum } from "./record_format.ts";
import type { SegmentContent } from "./segment_content.ts";
import type { SegmentFiles } from "./segment_files.ts";
import { alignedTimes, type SegmentTimes } from "./segment_times.ts";
import type { Slices } from "./slices.ts";

/** What is known of a part of a segment that need not be looked at again. */
export interface VerifiedPart {
  /** Records of the index file. */
  readonly records: number;
  /** Where the payloads of these end. */
  readonly datBytes: number;
  /** Payload bytes of the sound ones. */
  readonly heapBytes: number;
  /** First and last number of the sound ones; −1 when there are none. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly damage: DamageRuns;
  /** Damaged records of this part; `damage` grows with the scan. */
  readonly damageTotal: number;
  readonly times: SegmentTimes;
}

/** Why a record is not given: its payload is another one, is not all there, or its number is another one. */
export type DamageReason = "checksum" | "range" | "number";

/** What is in the files of a segment. */
export interface SegmentScan {
  /** Records whose payload is there. */
  readonly records: number;
  readonly datBytes: number;
  readonly heapBytes: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly damage: DamageRuns;
  /** Bytes of a record that was not written to its end. */
  readonly tornIndexBytes: number;
  /** Records at the end whose payload is not there (step 3). */
  readonly recordsWithoutPayload: number;
  /** Bytes of the payload file now. */
  readonly datFileBytes: number;
  /** Record whose number is not above that of the sound one before it: all from here on go (step 6). */
  readonly disorderAt: number | undefined;
  /** There is more damage than `damage` holds. */
  readonly isBeyondList: boolean;
  /** A sound record that has a number from 2^53 on. */
  readonly seqTooLarge: bigint | undefined;
}

/** A record that was found to be sound. */
interface SoundRecord {
  readonly record: number;
  readonly length: number;
  /** Number of the sound one before it; −1 without one. */
  readonly before: number;
  readonly page: IndexRecords;
  readonly at: number;
}

/**
 * A part of which nothing is known.
 *
 * @param runsMax Runs of damage that are remembered.
 */
export function nothingVerified(runsMax?: number): VerifiedPart {
  return verifiedPart({
    records: 0,
    datBytes: 0,
    heapBytes: 0,
    firstSeq: -1,
    lastSeq: -1,
    damage: new DamageRuns(runsMax),
    times: alignedTimes(0),
  });
}

/** All that is known to be in a segment. */
export function verifiedPart(content: SegmentContent): VerifiedPart {
  return { ...content, damageTotal: content.damage.total };
}

/**
 * Looks at all records behind the verified part.
 *
 * @param onDamage Told of every damaged record.
 * @param bounds Numbers that belong to other segments.
 */
export async function scanSegment(
  files: SegmentFiles,
  verified: VerifiedPart,
  slices: Slices,
  onDamage?: (record: number, seq: bigint, reason: DamageReason) => void,
  bounds: NumberBounds = {},
): Promise<SegmentScan> {
  const indexBytes = files.idx.size();
  const datFileBytes = files.dat.size();
  const tornIndexBytes = indexBytes % INDEX_BYTES;
  const whole = (indexBytes - tornIndexBytes) / INDEX_BYTES;
  const records = await cutWithoutPayload(files.idx, verified.records, whole, datFileBytes, slices);
  const payloads = new PayloadWindow(files.dat);
  const { damage } = verified;
  let { datBytes, heapBytes, firstSeq, lastSeq } = verified;
  let disorderAt: number | undefined;
  let seqTooLarge: bigint | undefined;
  let isBeyondList = false;
  let sliceBytes = 0;
  /** The last sound record, and the number of the one before it. */
  let last: SoundRecord | undefined;
  const addDamage = (record: number, page: IndexRecords, at: number, reason: DamageReason) => {
    onDamage?.(record, page.seq64(at), reason);
    isBeyondList ||= damage.isFull;
    if (!isBeyondList) damage.add(record);
  };
  for (let start = verified.records; start < records; start += PAGE_RECORDS) {
    // One more, to see what follows the last one.
    const page = readIndex(files.idx, start, Math.min(PAGE_RECORDS + 1, records - start));
    const count = Math.min(page.count, PAGE_RECORDS);
    for (let at = 0; at < count; at++) {
      const record = start + at;
      const length = page.heapLength(at);
      const isInRange = page.heapEnd(at) <= datFileBytes;
      if (isInRange) datBytes = Math.max(datBytes, page.heapEnd(at));
      sliceBytes += INDEX_BYTES + length;
      if (sliceBytes >= SLICE_BYTES) {
        sliceBytes = 0;
        if (slices.isOver) await slices.rest();
      }
      if (disorderAt !== undefined) continue;
      if (!isInRange || !isPayloadSound(page, at, payloads)) {
        addDamage(record, page, at, isInRange ? "checksum" : "range");
        continue;
      }
      const seq = page.seq(at);
      const next = at + 1 < page.count ? page.seq(at + 1) : undefined;
      const before = last?.record === record - 1 ? last.before : undefined;
      const verdict = judgeNumber({ seq, lastSeq, before, next }, bounds);
      if (verdict === "damaged") {
        addDamage(record, page, at, "number");
        continue;
      }
      if (verdict === "disorder") {
        disorderAt = record;
        continue;
      }
      if (verdict === "last_damaged" && last !== undefined) {
        addDamage(record - 1, last.page, last.at, "number");
        heapBytes -= last.length;
        lastSeq = last.before;
        if (lastSeq < 0) firstSeq = -1;
        seqTooLarge = undefined;
      }
      if (seq > SEQ_MAX) seqTooLarge ??= page.seq64(at);
      if (firstSeq < 0) firstSeq = seq;
      last = { record, length, before: lastSeq, page, at };
      lastSeq = seq;
      heapBytes += length;
    }
  }
  return {
    records,
    datBytes,
    heapBytes,
    firstSeq,
    lastSeq,
    damage,
    tornIndexBytes,
    recordsWithoutPayload: whole - records,
    datFileBytes,
    disorderAt,
    isBeyondList,
    seqTooLarge,
  };
}

/** Reads index records. */
export function readIndex(idx: DiskFile, start: number, count: number): IndexRecords {
  const bytes = new Uint8Array(count * INDEX_BYTES);
  return new IndexRecords(bytes.subarray(0, idx.readAt(start * INDEX_BYTES, bytes)));
}

/** Records that are left when those at the end go whose payload is not there. */
async function cutWithoutPayload(
  idx: DiskFile,
  from: number,
  to: number,
  datFileBytes: number,
  slices: Slices,
): Promise<number> {
  for (let end = to; end > from;) {
    const start = Math.max(from, end - PAGE_RECORDS);
    const page = readIndex(idx, start, end - start);
    for (let at = page.count - 1; at >= 0; at--) {
      if (page.heapEnd(at) <= datFileBytes) return start + at + 1;
    }
    end = start;
    if (slices.isOver) await slices.rest();
  }
  return from;
}

/** True when the payload of a record is what its checksum says. */
export function isPayloadSound(page: IndexRecords, at: number, payloads: PayloadWindow): boolean {
  if (page.isInline(at)) return payloadChecksum(page.inlinePayload(at)) === page.checksum(at);
  const checksum = payloads.checksum(page.offset(at), page.heapLength(at));
  return checksum === page.checksum(at);
}
