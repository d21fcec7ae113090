/** Unsigned 64-bit integers of the wire as the numbers they are here: exact below 2^53. */

/** Writes an integer below 2^53, little-endian. */
export function writeNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

/** Reads an integer, little-endian; above 2^53 it is the nearest double. */
export function readNumber(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
}
