/** The bytes of a channel folder (`storage.md` 3.1): manifest, index records and names. */
import { xxh3Low32 } from "../../../core/crypto/mod.ts";

/** Bytes of one index record. */
export const INDEX_BYTES = 20;
/** Bytes of one time. */
export const TIME_BYTES = 8;
/** A payload that is kept in its index record has exactly so many bytes. */
export const INLINE_BYTES = 8;
/** Bytes of a manifest; more are not looked at. */
export const MANIFEST_BYTES = 16;

/** The three files of a generation. */
export const SEGMENT_FILE_NAMES = ["idx", "dat", "ts"] as const;
export const MANIFEST_NAME = "manifest";
export const MANIFEST_TEMP_NAME = "manifest.tmp";

/** Flags of an index record: the top four bits of its last word. */
export const RecordFlag = { inline: 0x8, tombstone: 0x4, compacted: 0x2 } as const;

/** Bits of the last word of an index record that are its checksum. */
export const CHECKSUM_MASK = 0x0fff_ffff;
const MANIFEST_MAGIC = 0x4d44_4552;
const MANIFEST_VERSION = 1;
const TWO_32 = 0x1_0000_0000;

/** Checksum of a payload: the low 28 bits of its XXH3. */
export function payloadChecksum(payload: Uint8Array): number {
  return xxh3Low32(payload) & CHECKSUM_MASK;
}

/** Encodes the manifest that names a generation. */
export function encodeManifest(generation: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(MANIFEST_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MANIFEST_MAGIC, true);
  view.setUint8(4, MANIFEST_VERSION);
  view.setUint32(5, generation, true);
  view.setUint32(12, xxh3Low32(bytes.subarray(0, 12)), true);
  return bytes;
}

/** The generation a manifest names; `undefined` when it is none. */
export function decodeManifest(bytes: Uint8Array): number | undefined {
  if (bytes.length < MANIFEST_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, MANIFEST_BYTES);
  if (view.getUint32(0, true) !== MANIFEST_MAGIC) return undefined;
  if (view.getUint8(4) !== MANIFEST_VERSION) return undefined;
  if (view.getUint32(12, true) !== xxh3Low32(bytes.subarray(0, 12))) return undefined;
  return view.getUint32(5, true);
}

/** Folder of a generation. */
export function generationName(generation: number): string {
  return `v${String(generation).padStart(10, "0")}`;
}

/** Generation of a folder; `undefined` when the name is not one of a generation. */
export function parseGenerationName(name: string): number | undefined {
  if (!/^v[0-9]{10}$/.test(name)) return undefined;
  const generation = Number(name.slice(1));
  return generation < TWO_32 ? generation : undefined;
}

/** Writes an index record of a payload that lies in the payload file. */
export function writeIndexRecord(
  records: Uint8Array,
  at: number,
  fields: {
    readonly seq: number;
    readonly offset: number;
    readonly length: number;
    /** Flags and checksum. */
    readonly word: number;
  },
): void {
  const view = new DataView(records.buffer, records.byteOffset + at * INDEX_BYTES, INDEX_BYTES);
  view.setUint32(0, fields.seq, true);
  view.setUint32(4, Math.floor(fields.seq / TWO_32), true);
  view.setUint32(8, fields.offset, true);
  view.setUint32(12, fields.length, true);
  view.setUint32(16, fields.word, true);
}

/** Index records in a buffer, by their place in it. */
export class IndexRecords {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.count = Math.floor(bytes.length / INDEX_BYTES);
  }

  /** Sequence number; not exact from 2^53 on. */
  seq(at: number): number {
    const place = at * INDEX_BYTES;
    return this.#view.getUint32(place, true) + this.#view.getUint32(place + 4, true) * TWO_32;
  }

  /** Sequence number as it stands in the file. */
  seq64(at: number): bigint {
    return this.#view.getBigUint64(at * INDEX_BYTES, true);
  }

  isInline(at: number): boolean {
    return this.#view.getUint8(at * INDEX_BYTES + 19) >= RecordFlag.inline << 4;
  }

  /** Where the payload is in the payload file; not for inline records. */
  offset(at: number): number {
    return this.#view.getUint32(at * INDEX_BYTES + 8, true);
  }

  /** Bytes of the payload in the payload file: 0 for inline records. */
  heapLength(at: number): number {
    return this.isInline(at) ? 0 : this.#view.getUint32(at * INDEX_BYTES + 12, true);
  }

  /** Where the payload ends in the payload file: 0 for inline records. */
  heapEnd(at: number): number {
    if (this.isInline(at)) return 0;
    const place = at * INDEX_BYTES;
    return this.#view.getUint32(place + 8, true) + this.#view.getUint32(place + 12, true);
  }

  /** A record as it stands in the file: a view. */
  raw(at: number): Uint8Array {
    return this.#bytes.subarray(at * INDEX_BYTES, (at + 1) * INDEX_BYTES);
  }

  checksum(at: number): number {
    return this.#view.getUint32(at * INDEX_BYTES + 16, true) & CHECKSUM_MASK;
  }

  /** A copy of the payload of an inline record. */
  inlinePayload(at: number): Uint8Array<ArrayBuffer> {
    const place = at * INDEX_BYTES + 8;
    return this.#bytes.slice(place, place + INLINE_BYTES) as Uint8Array<ArrayBuffer>;
  }
}
