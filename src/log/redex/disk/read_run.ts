/**
 * Reads records whose numbers and payloads lie one behind the other as one piece, for those who read a whole log:
 * nothing is made for a single record. What is out of the ordinary ends the run, and is read as `read_segment.ts` does.
 */
import { Xxh3Memory } from "../../../core/crypto/mod.ts";
import type { RecordRun } from "../record_store.ts";
import { READ_WINDOW_BYTES } from "./limits.ts";
import { CHECKSUM_MASK } from "./record_format.ts";
import type { Segment } from "./segment.ts";
import { placeInPage } from "./segment_pages.ts";

let memory: Xxh3Memory | undefined;

/** Checksums of the records of a run; filled and used within one call. */
const checksums: number[] = [];

/** Records from this number on, at most so many; `undefined` when the first of them is out of the ordinary. */
export function readRun(segment: Segment, from: number, recordsMax: number): RecordRun | undefined {
  const { damage, firstSeq, isDense, count } = segment;
  const rank = from - firstSeq;
  // Without damage, and with no number missing, the place of a record says its number.
  if (!isDense || damage.total > 0 || rank < 0 || rank >= count) return undefined;
  const starts = new Uint32Array(Math.min(recordsMax, count - rank) + 1);
  const place = gather(segment, rank, from, starts);
  if (place.count === 0) return undefined;
  const bytes = new Uint8Array(starts[place.count] as number);
  if (segment.files.dat.readAt(place.offset, bytes) < bytes.length) return undefined;
  const sound = countSound(bytes, starts, place.count);
  return sound === 0 ? undefined : { firstSeq: from, count: sound, bytes, starts };
}

/** Fills the starts of payloads that lie together; how many there are, and where the first one is. */
function gather(
  segment: Segment,
  rank: number,
  seq: number,
  starts: Uint32Array,
): { readonly count: number; readonly offset: number } {
  const { datBytes } = segment;
  const recordsMax = starts.length - 1;
  let start = 0;
  let end = 0;
  let count = 0;
  for (; count < recordsMax; count++) {
    const page = segment.index(rank + count);
    const at = placeInPage(rank + count);
    const length = page.heapLength(at);
    // Inline and empty ones have none.
    if (length === 0 || page.seq(at) !== seq + count) break;
    const offset = page.offset(at);
    if (count === 0) start = end = offset;
    const next = offset + length;
    if (offset !== end || next > datBytes || next - start > READ_WINDOW_BYTES) break;
    end = next;
    starts[count + 1] = end - start;
    checksums[count] = page.checksum(at);
  }
  return { count, offset: start };
}

/** How many of the first payloads are what their checksums say. */
function countSound(bytes: Uint8Array, starts: Uint32Array, count: number): number {
  memory ??= new Xxh3Memory(READ_WINDOW_BYTES);
  memory.bytes.set(bytes);
  for (let i = 0; i < count; i++) {
    const start = starts[i] as number;
    const length = starts[i + 1] as number - start;
    if ((memory.low32(start, length) & CHECKSUM_MASK) !== checksums[i]) return i;
  }
  return count;
}
