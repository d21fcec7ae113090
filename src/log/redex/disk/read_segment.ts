/** Reads records of a segment: payloads that lie together with one read. */
import type { StoredRecord } from "../record_store.ts";
import type { DamageRuns } from "./damage_runs.ts";
import { KNOWN_DAMAGE_MAX, READ_WINDOW_BYTES } from "./limits.ts";
import { INLINE_BYTES, payloadChecksum } from "./record_format.ts";
import type { Segment } from "./segment.ts";
import { placeInPage } from "./segment_pages.ts";

/** What is read, over all segments. */
export interface ReadProgress {
  readonly records: StoredRecord[];
  readonly damaged: number[];
  /** Missing numbers where records lie that were known to be damaged. */
  readonly known: number[];
  /** Number to go on from. */
  next: number;
  /** Nothing more is read when one of these is used up. */
  recordsLeft: number;
  bytesLeft: number;
}

/** A record whose payload is still to be read. */
interface WantedRecord {
  readonly rank: number;
  readonly seq: number;
  readonly checksum: number;
  readonly offset: number;
  readonly length: number;
  readonly inline: Uint8Array | undefined;
}

/** Reads records with numbers from `progress.next` on and below `to`, until one of the limits. */
export function readSegment(segment: Segment, to: number, progress: ReadProgress): void {
  let rank = segment.rankFrom(progress.next);
  while (rank < segment.count && progress.recordsLeft > 0 && progress.bytesLeft > 0) {
    const wanted = gather(segment, rank, to, progress);
    if (wanted.length === 0) return;
    take(segment, wanted, progress);
    rank += wanted.length;
  }
}

/** Records that are read together: their payloads lie one behind the other and fit in a window. */
function gather(
  segment: Segment,
  from: number,
  to: number,
  progress: ReadProgress,
): WantedRecord[] {
  const wanted: WantedRecord[] = [];
  const { isDense, firstSeq, damage, count } = segment;
  let start = -1;
  let end = -1;
  let bytes = 0;
  let record = damage.recordOf(from);
  let nextDamaged = damage.nextDamaged(record);
  let above = progress.next - 1;
  for (let rank = from; rank < count && wanted.length < progress.recordsLeft; rank++) {
    while (record === nextDamaged) {
      record += 1;
      nextDamaged = damage.nextDamaged(record);
    }
    const page = segment.index(record);
    const at = placeInPage(record);
    const sound = segment.soundSeq(rank, page, at, above);
    // Where no number is missing, the place says it; elsewhere one that was damaged is the next one.
    const seq = sound ?? (isDense ? firstSeq + rank : above + 1);
    if (seq >= to) break;
    // A length that was damaged may lead beyond the file: nothing is made room for, and it fails alone.
    const claimed = page.heapLength(at);
    const isBeyond = claimed > 0 && page.heapEnd(at) > segment.datBytes;
    const length = isBeyond ? 0 : claimed;
    const isInline = page.isInline(at);
    const cost = isInline ? INLINE_BYTES : length;
    if (bytes + cost > progress.bytesLeft && wanted.length + progress.records.length > 0) {
      // The limit ends the whole read once nothing is gathered any more.
      if (wanted.length === 0) progress.bytesLeft = 0;
      break;
    }
    const offset = length > 0 ? page.offset(at) : 0;
    if (length > 0) {
      const isApart = offset !== end || offset + length - start > READ_WINDOW_BYTES;
      if (start >= 0 && isApart) break;
      if (start < 0) start = offset;
      end = offset + length;
    }
    bytes += cost;
    if (seq > above + 1 && !isDense) {
      noteKnownDamage(damage, record, above + 1, seq, progress.known);
    }
    wanted.push({
      rank,
      seq,
      // No payload has the other one.
      checksum: sound === undefined || isBeyond ? -1 : page.checksum(at),
      offset,
      length,
      inline: isInline ? page.inlinePayload(at) : undefined,
    });
    record += 1;
    above = seq;
  }
  return wanted;
}

/** The numbers that are missing before a record are those of the damaged ones before it, if there are some. */
function noteKnownDamage(
  damage: DamageRuns,
  record: number,
  from: number,
  to: number,
  known: number[],
): void {
  if (record === 0 || damage.nextDamaged(record - 1) !== record - 1) return;
  const end = Math.min(to, from + Math.min(damage.total, KNOWN_DAMAGE_MAX));
  for (let seq = from; seq < end; seq++) known.push(seq);
}

function take(segment: Segment, wanted: readonly WantedRecord[], progress: ReadProgress): void {
  let start = -1;
  let end = 0;
  for (const { offset, length } of wanted) {
    if (length === 0) continue;
    if (start < 0) start = offset;
    end = offset + length;
  }
  const bytes = new Uint8Array(start < 0 ? 0 : end - start);
  const there = bytes.length === 0 ? 0 : segment.files.dat.readAt(start, bytes);
  for (const { rank, seq, checksum, offset, length, inline } of wanted) {
    const at = length > 0 ? offset - start : 0;
    const isThere = inline !== undefined || at + length <= there;
    const payload = inline ?? bytes.subarray(at, at + length);
    if (isThere && payloadChecksum(payload) === checksum) {
      progress.records.push({ seq, payload, timeNs: segment.timeAt(rank) });
    } else progress.damaged.push(seq);
    progress.next = seq + 1;
    progress.recordsLeft -= 1;
    progress.bytesLeft -= payload.length;
  }
}
