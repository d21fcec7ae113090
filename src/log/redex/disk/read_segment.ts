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

/**
 * Records whose payloads are still to be read, one beside the other: used again by every read, because
 * an object for each costs as much as reading it.
 */
class WantedRecords {
  readonly seqs: number[] = [];
  /** −1 for a record that is damaged. */
  readonly checksums: number[] = [];
  readonly offsets: number[] = [];
  readonly lengths: number[] = [];
  readonly inline: (Uint8Array | undefined)[] = [];
  count = 0;

  add(
    seq: number,
    checksum: number,
    offset: number,
    length: number,
    inline: Uint8Array | undefined,
  ): void {
    const at = this.count++;
    this.seqs[at] = seq;
    this.checksums[at] = checksum;
    this.offsets[at] = offset;
    this.lengths[at] = length;
    this.inline[at] = inline;
  }

  clear(): void {
    this.count = 0;
    // Lists for many short records are kept, payloads are not.
    this.inline.length = 0;
  }
}

const wanted = new WantedRecords();

/** Reads records with numbers from `progress.next` on and below `to`, until one of the limits. */
export function readSegment(segment: Segment, to: number, progress: ReadProgress): void {
  let rank = segment.rankFrom(progress.next);
  while (rank < segment.count && progress.recordsLeft > 0 && progress.bytesLeft > 0) {
    wanted.clear();
    gather(segment, rank, to, progress);
    if (wanted.count === 0) return;
    take(segment, rank, progress);
    rank += wanted.count;
    wanted.clear();
  }
}

/** Fills the list of records that are read together: their payloads lie one behind the other and fit in a window. */
function gather(segment: Segment, from: number, to: number, progress: ReadProgress): void {
  const { isDense, firstSeq, damage, count } = segment;
  let start = -1;
  let end = -1;
  let bytes = 0;
  let record = damage.recordOf(from);
  let nextDamaged = damage.nextDamaged(record);
  let above = progress.next - 1;
  for (let rank = from; rank < count && wanted.count < progress.recordsLeft; rank++) {
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
    if (bytes + cost > progress.bytesLeft && wanted.count + progress.records.length > 0) {
      // The limit ends the whole read once nothing is gathered any more.
      if (wanted.count === 0) progress.bytesLeft = 0;
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
    // No payload has the other checksum.
    const checksum = sound === undefined || isBeyond ? -1 : page.checksum(at);
    wanted.add(seq, checksum, offset, length, isInline ? page.inlinePayload(at) : undefined);
    record += 1;
    above = seq;
  }
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

/** @param from Rank of the first record of the list. */
function take(segment: Segment, from: number, progress: ReadProgress): void {
  const { seqs, checksums, offsets, lengths, inline, count } = wanted;
  let start = -1;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const length = lengths[i] as number;
    if (length === 0) continue;
    const offset = offsets[i] as number;
    if (start < 0) start = offset;
    end = offset + length;
  }
  const bytes = new Uint8Array(start < 0 ? 0 : end - start);
  const there = bytes.length === 0 ? 0 : segment.files.dat.readAt(start, bytes);
  for (let i = 0; i < count; i++) {
    const [seq, length] = [seqs[i] as number, lengths[i] as number];
    const at = length > 0 ? offsets[i] as number - start : 0;
    const isThere = at + length <= there || inline[i] !== undefined;
    const payload = inline[i] ?? bytes.subarray(at, at + length);
    if (isThere && payloadChecksum(payload) === checksums[i]) {
      progress.records.push({ seq, payload, timeNs: segment.timeAt(from + i) });
    } else progress.damaged.push(seq);
    progress.next = seq + 1;
    progress.recordsLeft -= 1;
    progress.bytesLeft -= payload.length;
  }
}
