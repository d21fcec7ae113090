/**
 * What was kept of other nodes' buses last, in a channel beside theirs: for each batch a note, appended right before
 * the batch itself. After a crash the note says where the batch would be, and the channel whether it is: so a batch
 * that comes again because its answer was lost is told, and one that was noted and never kept is taken.
 *
 * A note has 47 bytes, little-endian: version 1, u16 shard, u64 node, u64 producer, u64 number of the producer's next
 * event, u64 number of the first record in the channel, u32 records, u64 XXH3 of the last record.
 */
import { xxh3 } from "../../../core/crypto/mod.ts";
import type { RedexFile } from "../../redex/mod.ts";
import type { Batch, FedMark } from "../types.ts";

const VERSION = 1;
const NOTE_BYTES = 47;
/** Notes that are kept: only the last of a producer and shard counts, and it matters for a minute or so. */
export const NOTES_MAX = 16_384;

/** A note. */
export interface FeedNote extends FedMark {
  /** Number of the batch's first record in the channel of its shard. */
  readonly firstSeq: bigint;
  readonly records: number;
  readonly lastHash: bigint;
}

/** The note of a batch that is about to be appended to `file` as `records`. */
export function noteOf(
  batch: Batch,
  source: bigint,
  file: Pick<RedexFile, "nextSeq">,
  records: readonly Uint8Array[],
): FeedNote {
  const { shard, producerNonce, sequenceStart } = batch;
  return {
    source,
    shard,
    producerNonce,
    next: sequenceStart + BigInt(records.length),
    firstSeq: file.nextSeq,
    records: records.length,
    lastHash: hashOf(records[records.length - 1]),
  };
}

/** A note as bytes. */
export function encodeNote(note: FeedNote): Uint8Array {
  const bytes = new Uint8Array(NOTE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setUint16(1, note.shard, true);
  view.setBigUint64(3, note.source, true);
  view.setBigUint64(11, note.producerNonce, true);
  view.setBigUint64(19, note.next, true);
  view.setBigUint64(27, note.firstSeq, true);
  view.setUint32(35, note.records, true);
  view.setBigUint64(39, note.lastHash, true);
  return bytes;
}

/** Reads a note; `undefined` when it is none, or not of this version. */
export function decodeNote(bytes: Uint8Array): FeedNote | undefined {
  if (bytes.length !== NOTE_BYTES || bytes[0] !== VERSION) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const note = {
    shard: view.getUint16(1, true),
    source: view.getBigUint64(3, true),
    producerNonce: view.getBigUint64(11, true),
    next: view.getBigUint64(19, true),
    firstSeq: view.getBigUint64(27, true),
    records: view.getUint32(35, true),
    lastHash: view.getBigUint64(39, true),
  };
  return note.records > 0 && BigInt(note.records) <= note.next ? note : undefined;
}

/** The last note of each node, producer and shard, the one written longest ago first. */
export function lastNotes(file: RedexFile): FeedNote[] {
  const notes = new Map<string, FeedNote>();
  for (const { payload } of file.readRange(file.firstSeq, file.nextSeq)) {
    const note = decodeNote(payload);
    if (note === undefined) continue;
    const key = `${note.source}:${note.producerNonce}:${note.shard}`;
    notes.delete(key);
    notes.set(key, note);
  }
  return [...notes.values()];
}

/** What a note is worth, now that its batch either is in the channel or is not. */
export function markOf(note: FeedNote, file: RedexFile): FedMark {
  const { source, producerNonce, shard, next, records } = note;
  const kept = isKept(note, file) ? next : next - BigInt(records);
  return { source, producerNonce, shard, next: kept };
}

function isKept({ firstSeq, records, lastHash }: FeedNote, file: RedexFile): boolean {
  const last = firstSeq + BigInt(records) - 1n;
  if (last >= file.nextSeq) return false;
  // What retention took away was there.
  if (last < file.firstSeq) return true;
  const [record] = file.readRange(last, last + 1n);
  return record === undefined || hashOf(record.payload) === lastHash;
}

function hashOf(record: Uint8Array | undefined): bigint {
  return record === undefined ? 0n : xxh3(record);
}
