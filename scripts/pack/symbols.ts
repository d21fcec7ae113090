/** Whether an executable still has the names of its functions. */

const SHT_SYMTAB = 2;

/**
 * True when an ELF file of 64 bits has a table of symbols; those for the dynamic linker do not count.
 *
 * @throws TypeError when its table of sections cannot be read.
 */
export function hasSymbols(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new TypeError("Cannot look for symbols: no little-endian ELF of 64 bits");
  }
  const table = Number(view.getBigUint64(40, true));
  const size = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  if (count > 0 && (size < 64 || table + count * size > bytes.length)) {
    throw new TypeError("Cannot look for symbols: the table of sections lies outside the file");
  }
  for (let index = 0; index < count; index++) {
    if (view.getUint32(table + index * size + 4, true) === SHT_SYMTAB) return true;
  }
  return false;
}
