/** Reads records of a segment: payloads that lie together with one read. */
import type { StoredRecord } from "../record_store.ts";
import { READ_WINDOW_BYTES } from "./limits.ts";
import { payloadChecksum } from "./record_format.ts";
import type { Segment } from "./segment.ts";

/** What is read, over all segments. */
export interface ReadProgress {
  readonly records: StoredRecord[];
  readonly damaged: number[];
  /** Number to go on from. */
  next: number;
  recordsLeft: number;
  bytesLeft: number;
}

/** A record whose payload is still to be read. */
interface WantedPayload {
  readonly rank: number;
  readonly seq: number;
  readonly checksum: number;
  readonly offset: number;
  readonly length: number;
  readonly inline: Uint8Array | undefined;
}

/**
 * Reads records with numbers from `progress.next` on and below `to`, until one of the limits; true when
 * there is no more of them.
 */
export function readSegment(segment: Segment, to: number, progress: ReadProgress): boolean {
  let rank = segment.rankFrom(progress.next);
  while (rank < segment.count && progress.recordsLeft > 0 && progress.bytesLeft > 0) {
    const wanted = gather(segment, rank, to, progress);
    if (wanted.length === 0) return true;
    take(segment, wanted, progress);
    rank += wanted.length;
  }
  return rank >= segment.count;
}

/** Records that are read together: their payloads lie one behind the other and fit in a window. */
function gather(
  segment: Segment,
  from: number,
  to: number,
  progress: ReadProgress,
): WantedPayload[] {
  const wanted: WantedPayload[] = [];
  const { isDense, firstSeq, damage } = segment;
  let start = -1;
  let end = -1;
  let bytes = 0;
  let record = damage.recordOf(from);
  let nextDamaged = damage.nextDamaged(record);
  for (let rank = from; rank < segment.count && wanted.length < progress.recordsLeft; rank++) {
    while (record === nextDamaged) {
      record += 1;
      nextDamaged = damage.nextDamaged(record);
    }
    const { page, at } = segment.index(record);
    // Where no number is missing, the place says it; a number that was damaged is not believed.
    const seq = isDense ? firstSeq + rank : page.seq(at);
    if (seq >= to) break;
    const length = page.heapLength(at);
    if (length > 0) {
      const offset = page.offset(at);
      if (start < 0) start = end = offset;
      const isFollowing = offset === end && offset + length - start <= READ_WINDOW_BYTES;
      if (wanted.length > 0 && bytes > 0 && !isFollowing) break;
      end = offset + length;
    }
    if (wanted.length > 0 && bytes + length > progress.bytesLeft) break;
    bytes += length;
    const isSeqSound = page.seq(at) === seq;
    wanted.push({
      rank,
      seq,
      // No payload has this one.
      checksum: isSeqSound ? page.checksum(at) : -1,
      offset: length > 0 ? page.offset(at) : 0,
      length,
      inline: page.isInline(at) ? page.inlinePayload(at) : undefined,
    });
    record += 1;
  }
  return wanted;
}

function take(segment: Segment, wanted: readonly WantedPayload[], progress: ReadProgress): void {
  const heap = wanted.filter(({ length }) => length > 0);
  const first = heap[0];
  const last = heap[heap.length - 1];
  const start = first?.offset ?? 0;
  const end = last === undefined ? 0 : last.offset + last.length;
  const isThere = end <= segment.datBytes;
  const bytes = new Uint8Array(isThere ? end - start : 0);
  const there = segment.files.dat.readAt(start, bytes);
  for (const { rank, seq, checksum, offset, length, inline } of wanted) {
    const at = length > 0 ? offset - start : 0;
    const payload = inline ?? bytes.subarray(at, at + length);
    const isSound = (inline !== undefined || at + length <= there) &&
      payloadChecksum(payload) === checksum;
    if (isSound) progress.records.push({ seq, payload, timeNs: segment.timeAt(rank) });
    else progress.damaged.push(seq);
    progress.next = seq + 1;
    progress.recordsLeft -= 1;
    progress.bytesLeft -= length;
  }
}
