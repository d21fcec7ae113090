/** Small ELF files, with as much in them as the validator looks at. */

/** What a file says of itself. */
export interface ElfFile {
  readonly machine: number;
  /** 64 when left out. */
  readonly bits?: 32 | 64;
  /** 3 (shared) when left out. */
  readonly type?: number;
  readonly isBigEndian?: boolean;
  /** Path of a loader; a static file when left out. */
  readonly interpreter?: string;
  readonly hasSymbols?: boolean;
  /** Where the table of segments is said to be. */
  readonly segmentsAt?: number;
}

/** The file's bytes: header, one segment, one section, the interpreter. */
export function makeElf(file: ElfFile): Uint8Array<ArrayBuffer> {
  const is64 = (file.bits ?? 64) === 64;
  const isLittle = !file.isBigEndian;
  const sizes = is64
    ? { head: 64, segment: 56, section: 64 }
    : { head: 52, segment: 32, section: 40 };
  const segments = file.segmentsAt ?? sizes.head;
  const sections = sizes.head + sizes.segment;
  const text = new TextEncoder().encode(`${file.interpreter ?? ""}\0`);
  const textAt = sections + sizes.section;
  const bytes = new Uint8Array(textAt + text.length);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number) =>
    is64 ? view.setBigUint64(at, BigInt(value), isLittle) : view.setUint32(at, value, isLittle);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, isLittle ? 1 : 2, 1]);
  view.setUint16(16, file.type ?? 3, isLittle);
  view.setUint16(18, file.machine, isLittle);
  word(is64 ? 32 : 28, segments);
  word(is64 ? 40 : 32, sections);
  const counts = is64 ? 54 : 42;
  view.setUint16(counts, sizes.segment, isLittle);
  view.setUint16(counts + 2, 1, isLittle);
  view.setUint16(counts + 4, sizes.section, isLittle);
  view.setUint16(counts + 6, 1, isLittle);
  view.setUint32(sizes.head, file.interpreter === undefined ? 1 : 3, isLittle);
  word(sizes.head + (is64 ? 8 : 4), textAt);
  word(sizes.head + (is64 ? 32 : 16), text.length);
  view.setUint32(sections + 4, file.hasSymbols ? 2 : 1, isLittle);
  bytes.set(text, textAt);
  return bytes;
}
