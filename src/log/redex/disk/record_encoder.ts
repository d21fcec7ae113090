/** Makes the bytes of an append: payloads, index records and times. */
import type { DiskFile } from "../../../base/mod.ts";
import { INDEX_BYTES, payloadChecksum, RecordFlag, TIME_BYTES } from "./record_format.ts";

/** The bytes of one append; valid until the next one is encoded. */
export interface EncodedRecords {
  readonly count: number;
  readonly datBytes: number;
  readonly idx: Uint8Array;
  readonly ts: Uint8Array;
  /** Writes the payloads at `offset`. */
  writePayloads(dat: DiskFile, offset: number): void;
}

/** Encodes an append whose payloads begin at `datOffset` of the payload file. */
export function encodeRecords(
  payloads: readonly Uint8Array[],
  firstSeq: number,
  datOffset: number,
  timeNs: bigint,
  isInline: boolean,
): EncodedRecords {
  const count = payloads.length;
  const idx = new Uint8Array(count * INDEX_BYTES);
  const ts = new Uint8Array(count * TIME_BYTES);
  const view = new DataView(idx.buffer);
  const times = new DataView(ts.buffer);
  let offset = datOffset;
  for (const [i, payload] of payloads.entries()) {
    const at = i * INDEX_BYTES;
    view.setBigUint64(at, BigInt(firstSeq + i), true);
    if (isInline) idx.set(payload, at + 8);
    else {
      view.setUint32(at + 8, offset, true);
      view.setUint32(at + 12, payload.length, true);
      offset += payload.length;
    }
    const flags = isInline ? RecordFlag.inline << 28 : 0;
    view.setUint32(at + 16, (payloadChecksum(payload) | flags) >>> 0, true);
    times.setBigUint64(i * TIME_BYTES, timeNs, true);
  }
  return {
    count,
    datBytes: offset - datOffset,
    idx,
    ts,
    writePayloads(dat, at) {
      const bytes = new Uint8Array(offset - datOffset);
      let place = 0;
      for (const payload of payloads) {
        bytes.set(payload, place);
        place += payload.length;
      }
      dat.writeAt(at, bytes);
    },
  };
}
