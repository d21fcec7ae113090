/**
 * Records of a pack file: a header, then a chunk as it is or sealed.
 *
 * | bytes | what |
 * | --- | --- |
 * | 4 | magic `NPK1` |
 * | 1 | flags: 1 for sealed |
 * | 3 | zero |
 * | 4 | bytes that follow the header, little-endian |
 * | 32 | hash of the chunk |
 * | 4 | check of the 44 bytes before: low half of XXH3, little-endian |
 *
 * A damaged header hides one record: the scan goes on at the next place that looks like a header and has its check.
 * The bytes that follow have no check of their own, because they have a hash.
 */
import { xxh3Low32 } from "../../core/crypto/mod.ts";
import type { DiskFile } from "../../base/mod.ts";
import type { SmallChunks } from "../chunk_store.ts";
import { HASH_BYTES } from "../limits.ts";
import { SEAL_BYTES } from "./sealing.ts";

const MAGIC = 0x314b504e;
const FLAG_SEALED = 1;
const HASH_AT = 12;
const CHECK_AT = HASH_AT + HASH_BYTES;

/** Bytes of a header. */
export const RECORD_HEADER_BYTES = CHECK_AT + 4;

/** Largest chunk in a pack: beyond it, a file of its own costs less than what sharing one saves. */
export const PACKED_BYTES_MAX = 64 * 1024;

/** Bytes read at once while a pack is scanned: a few of the largest records. */
const SCAN_BYTES = 1024 * 1024;

/** A record as its header tells it. */
export interface PackRecord {
  /** Place of the header in the file. */
  readonly at: number;
  readonly hash: Uint8Array<ArrayBuffer>;
  readonly isSealed: boolean;
  /** Bytes behind the header. */
  readonly storedBytes: number;
}

/** Writes a header and what follows it to `target`; the place behind it. */
export function encodeRecord(
  target: Uint8Array,
  at: number,
  record: { readonly hash: Uint8Array; readonly isSealed: boolean; readonly stored: Uint8Array },
): number {
  const view = new DataView(target.buffer, target.byteOffset + at, RECORD_HEADER_BYTES);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, record.isSealed ? FLAG_SEALED : 0, true);
  view.setUint32(8, record.stored.length, true);
  target.set(record.hash, at + HASH_AT);
  view.setUint32(CHECK_AT, xxh3Low32(target.subarray(at, at + CHECK_AT)), true);
  target.set(record.stored, at + RECORD_HEADER_BYTES);
  return at + RECORD_HEADER_BYTES + record.stored.length;
}

/** Writes the records of many chunks to `target`, one behind the other. */
export function encodeRecords(target: Uint8Array, chunks: SmallChunks, isSealed: boolean): void {
  const { count, hashes, sizes, bytes } = chunks;
  const view = new DataView(target.buffer, target.byteOffset, target.length);
  const flags = isSealed ? FLAG_SEALED : 0;
  let [from, at] = [0, 0];
  for (let i = 0; i < count; i++) {
    const size = sizes[i] ?? 0;
    view.setUint32(at, MAGIC, true);
    view.setUint32(at + 4, flags, true);
    view.setUint32(at + 8, size, true);
    for (let byte = 0; byte < HASH_BYTES; byte++) {
      target[at + HASH_AT + byte] = hashes[i * HASH_BYTES + byte] ?? 0;
    }
    view.setUint32(at + CHECK_AT, xxh3Low32(target.subarray(at, at + CHECK_AT)), true);
    at += RECORD_HEADER_BYTES;
    target.set(bytes.subarray(from, from + size), at);
    from += size;
    at += size;
  }
}

/**
 * Reads a header.
 *
 * @param bytes At least {@linkcode RECORD_HEADER_BYTES}; any bytes are safe.
 * @param at Place in the file, for the result.
 * @returns `undefined` for what is no header.
 */
export function decodeHeader(bytes: Uint8Array, at: number): PackRecord | undefined {
  if (bytes.length < RECORD_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_HEADER_BYTES);
  if (view.getUint32(0, true) !== MAGIC) return undefined;
  const flags = view.getUint32(4, true);
  const storedBytes = view.getUint32(8, true);
  const isSealed = flags === FLAG_SEALED;
  const bytesMin = isSealed ? SEAL_BYTES : 0;
  const isValid = flags <= FLAG_SEALED && storedBytes >= bytesMin &&
    storedBytes <= PACKED_BYTES_MAX + SEAL_BYTES &&
    view.getUint32(CHECK_AT, true) === xxh3Low32(bytes.subarray(0, CHECK_AT));
  if (!isValid) return undefined;
  return { at, hash: bytes.slice(HASH_AT, CHECK_AT), isSealed, storedBytes };
}

/** A record with the bytes behind its header; these are a view that the next step overwrites. */
export interface ScannedRecord extends PackRecord {
  readonly stored: Uint8Array;
}

/**
 * Records of a file from `from` to `to`, in order; what lies between them and is none is passed over. The hash of
 * a record is for the caller to verify.
 */
export function* scanRecords(file: DiskFile, from: number, to: number): Generator<ScannedRecord> {
  const buffer = new Uint8Array(Math.max(0, Math.min(SCAN_BYTES, to - from)));
  let start = from;
  while (start + RECORD_HEADER_BYTES <= to) {
    const length = file.readAt(start, buffer.subarray(0, to - start));
    if (length < RECORD_HEADER_BYTES) return;
    const isEnd = start + length >= to;
    let at = 0;
    while (at + RECORD_HEADER_BYTES <= length) {
      const record = decodeHeader(buffer.subarray(at, length), start + at);
      if (record === undefined) {
        at = nextMagic(buffer, at + 1, length);
        continue;
      }
      const end = at + RECORD_HEADER_BYTES + record.storedBytes;
      if (end > length) {
        if (!isEnd) break; // The next window begins with it.
        at = nextMagic(buffer, at + 1, length); // Torn: something whole may follow all the same.
        continue;
      }
      yield { ...record, stored: buffer.subarray(at + RECORD_HEADER_BYTES, end) };
      at = end;
    }
    if (isEnd) return;
    start += at;
  }
}

/** Place of the next first byte of a magic, or where a magic might begin that is not all here. */
function nextMagic(bytes: Uint8Array, from: number, length: number): number {
  const first = MAGIC & 0xff;
  for (
    let at = bytes.indexOf(first, from);
    at >= 0 && at < length;
    at = bytes.indexOf(first, at + 1)
  ) {
    if (at + 4 > length || bytes[at + 1] === ((MAGIC >> 8) & 0xff)) return at;
  }
  return length;
}
