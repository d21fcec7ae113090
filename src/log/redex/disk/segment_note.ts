/**
 * A note about a segment that was verified and is on the device, so that opening need not read it again: the
 * checkpoint of a channel and the seal of a full segment (`docs/redex.md`). The reference knows neither and
 * leaves both alone.
 */
import { xxh3 } from "../../../core/crypto/mod.ts";
import { DamageRuns } from "./damage_runs.ts";
import { NOTE_RUNS_MAX, SEGMENT_RECORDS_LIMIT } from "./limits.ts";
import type { SegmentContent } from "./segment_content.ts";

/** Bytes before the runs of damaged records. */
const HEAD_BYTES = 112;
const RUN_BYTES = 8;
const HASH_BYTES = 8;
/** Bytes of the longest note. */
export const NOTE_BYTES_MAX = HEAD_BYTES + NOTE_RUNS_MAX * RUN_BYTES + HASH_BYTES;
const MAGIC = 0x5344_4552;
const VERSION = 1;
const NO_SEQ = 0xffff_ffff_ffff_ffffn;

/** What a note says. */
export interface SegmentNote {
  /** Generation of the segment when it was live. */
  readonly generation: number;
  readonly content: SegmentContent;
  /** Low 32 bits of XXH3 of the last index record; 0 without one. */
  readonly lastRecordHash: number;
  /** Records with smaller numbers are forgotten. */
  readonly keepFrom: number;
  /** Number of the next record, at least. */
  readonly nextSeq: number;
}

/** Encodes a note. */
export function encodeSegmentNote(note: SegmentNote): Uint8Array<ArrayBuffer> {
  const { content } = note;
  const { damage, times } = content;
  const bytes = new Uint8Array(HEAD_BYTES + damage.runs * RUN_BYTES + HASH_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, VERSION);
  view.setUint32(8, note.generation, true);
  view.setUint32(12, damage.runs, true);
  const words = [
    content.records,
    content.datBytes,
    content.heapBytes,
    content.firstSeq,
    content.lastSeq,
    times.entries,
    times.unknownCount,
    times.unknownNs,
    times.shift,
    note.keepFrom,
    note.nextSeq,
  ];
  for (const [i, word] of words.entries()) {
    view.setBigUint64(16 + i * 8, word === -1 ? NO_SEQ : BigInt(word), true);
  }
  view.setUint32(104, note.lastRecordHash, true);
  let at = HEAD_BYTES;
  for (const { start, count } of damage) {
    view.setUint32(at, start, true);
    view.setUint32(at + 4, count, true);
    at += RUN_BYTES;
  }
  view.setBigUint64(at, xxh3(bytes.subarray(0, at)), true);
  return bytes;
}

/** Decodes a note; `undefined` when it is none, or says what cannot be. */
export function decodeSegmentNote(bytes: Uint8Array): SegmentNote | undefined {
  if (bytes.length < HEAD_BYTES + HASH_BYTES || bytes.length > NOTE_BYTES_MAX) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== VERSION) return undefined;
  const hashAt = bytes.length - HASH_BYTES;
  if (view.getUint32(12, true) * RUN_BYTES !== hashAt - HEAD_BYTES) return undefined;
  if (view.getBigUint64(hashAt, true) !== xxh3(bytes.subarray(0, hashAt))) return undefined;
  const damage = decodeRuns(view, hashAt);
  const word = (index: number) => seqOf(view.getBigUint64(16 + index * 8, true));
  const content: SegmentContent = {
    records: word(0),
    datBytes: word(1),
    heapBytes: word(2),
    firstSeq: word(3),
    lastSeq: word(4),
    damage: damage ?? new DamageRuns(),
    times: {
      entries: word(5),
      unknownCount: word(6),
      unknownNs: view.getBigUint64(16 + 7 * 8, true),
      shift: word(8),
    },
  };
  const note = {
    generation: view.getUint32(8, true),
    content,
    lastRecordHash: view.getUint32(104, true),
    keepFrom: word(9),
    nextSeq: word(10),
  };
  return damage !== undefined && isPossible(note) ? note : undefined;
}

function decodeRuns(view: DataView, end: number): DamageRuns | undefined {
  const damage = new DamageRuns();
  let last = -1;
  for (let at = HEAD_BYTES; at < end; at += RUN_BYTES) {
    const start = view.getUint32(at, true);
    const count = view.getUint32(at + 4, true);
    if (count === 0 || start <= last) return undefined;
    damage.add(start, count);
    last = start + count;
  }
  return damage;
}

/** −1 for none, NaN for what a plain number does not hold. */
function seqOf(value: bigint): number {
  if (value === NO_SEQ) return -1;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : NaN;
}

function isPossible({ content, keepFrom, nextSeq }: SegmentNote): boolean {
  const { records, datBytes, heapBytes, firstSeq, lastSeq, damage, times } = content;
  const counts = [records, datBytes, heapBytes, times.entries, times.unknownCount, times.shift];
  if (![...counts, keepFrom, nextSeq].every((count) => count >= 0)) return false;
  const sound = records - damage.total;
  const runs = [...damage];
  const lastRun = runs[runs.length - 1];
  return records <= SEGMENT_RECORDS_LIMIT && heapBytes <= datBytes && sound >= 0 &&
    (lastRun === undefined || lastRun.start + lastRun.count <= records) &&
    times.entries + times.shift === sound && times.unknownCount <= sound &&
    times.shift <= times.unknownCount &&
    (sound === 0 ? firstSeq === -1 && lastSeq === -1 : firstSeq >= 0 &&
      lastSeq - firstSeq + 1 >= sound && nextSeq > lastSeq);
}
