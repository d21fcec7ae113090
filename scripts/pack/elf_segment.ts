/**
 * Adds a segment to an executable, whose code runs first.
 *
 * The notes of an executable (build number, oldest kernel) are read by debuggers only; their entry in the
 * table of segments becomes that of the new one, which comes behind all others in the file and in memory.
 */

const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_X = 1;
const PF_R = 4;
const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
/** Pages are 4 KiB on x86-64, up to 64 KiB on AArch64. */
const ALIGN = 0x10000;

/** Where a new segment would go. */
export interface SegmentPlace {
  /** In the file, in bytes. */
  readonly offset: number;
  /** In memory, relative to where the executable lies. */
  readonly address: number;
  /** The executable's own entry, as `address`. */
  readonly entry: number;
  readonly machine: number;
  /** Where in the file the table's entry is that becomes the new segment's. */
  readonly slot: number;
}

/**
 * Finds the place for a new segment.
 *
 * @throws TypeError when the file is no executable that may lie anywhere, has no notes, or cannot be read.
 */
export function placeSegment(bytes: Uint8Array): SegmentPlace {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || view.getUint32(0) !== 0x7f454c46 || bytes[4] !== 2) {
    throw new TypeError("Cannot pack: the runtime is no ELF of 64 bits");
  }
  if (bytes[5] !== 1 || view.getUint16(16, true) !== 3) {
    throw new TypeError(
      "Cannot pack: the runtime is no little-endian executable that may lie anywhere",
    );
  }
  const table = numberAt(view, 32);
  const count = view.getUint16(56, true);
  if (view.getUint16(54, true) !== SEGMENT_BYTES || table + count * SEGMENT_BYTES > bytes.length) {
    throw new TypeError("Cannot pack: the runtime's table of segments cannot be read");
  }
  let end = 0;
  let slot: number | undefined;
  let lastLoad = 0;
  for (let index = 0; index < count; index++) {
    const at = table + index * SEGMENT_BYTES;
    const type = view.getUint32(at, true);
    if (type === PT_LOAD) {
      end = Math.max(end, numberAt(view, at + 16) + numberAt(view, at + 40));
      lastLoad = at;
    } else if (type === PT_NOTE) slot = at;
  }
  // Segments that are loaded must be in the order of their addresses, and the new one is the last.
  if (slot === undefined || slot < lastLoad) {
    throw new TypeError("Cannot pack: the runtime has no notes behind its segments");
  }
  return {
    offset: alignUp(bytes.length),
    address: alignUp(end),
    entry: numberAt(view, 24),
    machine: view.getUint16(18, true),
    slot,
  };
}

/** The executable with a segment at `place`; its first byte runs first. */
export function addSegment(
  bytes: Uint8Array,
  place: SegmentPlace,
  segment: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(place.offset + segment.length);
  result.set(bytes);
  result.set(segment, place.offset);
  const view = new DataView(result.buffer);
  view.setUint32(place.slot, PT_LOAD, true);
  view.setUint32(place.slot + 4, PF_R | PF_X, true);
  const words = [place.offset, place.address, place.address, segment.length, segment.length, ALIGN];
  for (const [index, word] of words.entries()) {
    view.setBigUint64(place.slot + 8 + 8 * index, BigInt(word), true);
  }
  view.setBigUint64(24, BigInt(place.address), true);
  return result;
}

function numberAt(view: DataView, offset: number): number {
  const value = view.getBigUint64(offset, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new TypeError("Cannot pack: the runtime's table of segments cannot be read");
  }
  return Number(value);
}

function alignUp(value: number): number {
  return Math.ceil(value / ALIGN) * ALIGN;
}
