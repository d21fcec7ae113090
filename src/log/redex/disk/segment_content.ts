/** What the files of a segment hold, as far as it is known without reading them. */
import type { DamageRuns } from "./damage_runs.ts";
import { INDEX_BYTES } from "./record_format.ts";
import type { SegmentTimes } from "./segment_times.ts";

/** Content of a segment. */
export interface SegmentContent {
  /** Records of the index file, damaged ones included. */
  readonly records: number;
  /** Where the next payload goes. */
  readonly datBytes: number;
  /** Bytes of the payloads of sound records that are not inline. */
  readonly heapBytes: number;
  /** Number of the first sound record; −1 without one. */
  readonly firstSeq: number;
  /** Number of the last sound record; −1 without one. */
  readonly lastSeq: number;
  readonly damage: DamageRuns;
  readonly times: SegmentTimes;
}

/** Sound records. */
export function soundCount({ records, damage }: SegmentContent): number {
  return records - damage.total;
}

/** 20 bytes per sound record, and the payloads. */
export function contentBytes(content: SegmentContent): number {
  return soundCount(content) * INDEX_BYTES + content.heapBytes;
}
