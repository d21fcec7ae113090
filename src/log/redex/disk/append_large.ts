/** Writes an append that does not fit in one batch, part after part. */
import { BATCH_BYTES_MAX, type RecordBatch } from "../../../core/crypto/mod.ts";
import { INDEX_BYTES, payloadChecksum, TIME_BYTES, writeIndexRecord } from "./record_format.ts";
import type { AppendPlace } from "./segment.ts";
import type { SegmentContent } from "./segment_content.ts";
import type { SegmentFiles } from "./segment_files.ts";

/** Writes all payloads, then all index records, then all times; the payload bytes written. */
export function appendLarge(
  { idx, dat, ts }: SegmentFiles,
  content: SegmentContent,
  payloads: readonly Uint8Array[],
  { firstSeq, timeLow, timeHigh, isInline }: AppendPlace,
  batch: RecordBatch,
): number {
  const records = new Uint8Array(payloads.length * INDEX_BYTES);
  const times = new Uint8Array(payloads.length * TIME_BYTES);
  let offset = content.datBytes;
  for (let index = 0; index < payloads.length;) {
    const payload = payloads[index] as Uint8Array;
    if (payload.length > BATCH_BYTES_MAX) {
      // It is written from where it is.
      dat.writeAt(offset, payload);
      writeIndexRecord(records, index, {
        seq: firstSeq + index,
        offset,
        length: payload.length,
        word: payloadChecksum(payload),
      });
      writeTime(times, index, timeLow, timeHigh);
      offset += payload.length;
      index += 1;
      continue;
    }
    const next = batch.fill(payloads, index);
    batch.make({ firstSeq: firstSeq + index, offset, timeLow, timeHigh, isInline });
    if (!isInline) {
      dat.writeAt(offset, batch.payloads);
      offset += batch.byteLength;
    }
    records.set(batch.records, index * INDEX_BYTES);
    times.set(batch.times, index * TIME_BYTES);
    index = next;
  }
  idx.writeAt(content.records * INDEX_BYTES, records);
  ts.writeAt(content.times.entries * TIME_BYTES, times);
  return offset - content.datBytes;
}

function writeTime(times: Uint8Array, index: number, low: number, high: number): void {
  const view = new DataView(times.buffer, times.byteOffset);
  view.setUint32(index * TIME_BYTES, low, true);
  view.setUint32(index * TIME_BYTES + 4, high, true);
}
