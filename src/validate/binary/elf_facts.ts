/**
 * What the tables of an ELF file say about how it is linked (`validation.md` 6, `decisions.md` 27).
 *
 * A stranger's file: every offset is checked against the file's size, and no table is read beyond a
 * bound.
 */
import { EXECUTABLE_HEAD_BYTES, readExecutableHead } from "../../deploy/mod.ts";

/** A file, or bytes that stand for one. */
export interface ByteSource {
  readonly size: number;
  /** Up to `length` bytes at an offset; fewer at the end. */
  read(offset: number, length: number): Uint8Array;
}

/** What was found. */
export interface ElfFacts {
  readonly bits: 32 | 64;
  readonly isLittleEndian: boolean;
  readonly machine: number;
  /** `executable`, `shared` for one that may lie anywhere, or `other`. */
  readonly type: "executable" | "shared" | "other";
  /** The program that loads it; `undefined` for a static one. */
  readonly interpreter: string | undefined;
  /** True when it has a table of symbols that a release would not carry. */
  readonly hasSymbols: boolean;
  /** True when a table lies outside the file or is too large. */
  readonly isDamaged: boolean;
}

/** Entries of a table that are looked at; real programs have a dozen segments and 40 sections. */
const ENTRIES_MAX = 1024;

/** Longest path of an interpreter. */
const INTERPRETER_BYTES_MAX = 4096;

const HEADER_BYTES = 64;
const SEGMENT_INTERPRETER = 3;
const SECTION_SYMBOLS = 2;

/** Reads the facts; `undefined` for a file that is no ELF. */
export function readElfFacts(source: ByteSource): ElfFacts | undefined {
  const head = readExecutableHead(source.read(0, EXECUTABLE_HEAD_BYTES));
  if (head.kind !== "elf") return undefined;
  const { bits, isLittleEndian, machine } = head;
  const header = viewOf(source.read(0, HEADER_BYTES));
  const fields = fieldsOf(bits);
  const type = head.type === 2 ? "executable" : head.type === 3 ? "shared" : "other";
  const facts = { bits, isLittleEndian, machine, type } as const;
  if (header.byteLength < fields.headerBytes) {
    return { ...facts, interpreter: undefined, hasSymbols: false, isDamaged: true };
  }
  const reader = new Reader(source, bits, isLittleEndian);
  const segments = reader.table(header, fields.segments);
  const sections = reader.table(header, fields.sections);
  const interpreter = segments?.find((entry) =>
    entry.getUint32(0, isLittleEndian) === SEGMENT_INTERPRETER
  );
  return {
    ...facts,
    interpreter: interpreter === undefined ? undefined : reader.interpreter(interpreter),
    hasSymbols: sections?.some((entry) => entry.getUint32(4, isLittleEndian) === SECTION_SYMBOLS) ??
      false,
    isDamaged: segments === undefined || sections === undefined,
  };
}

/** Where a table's offset, entry size and count stand in the header. */
interface TableFields {
  readonly offset: number;
  readonly entryBytes: number;
  readonly count: number;
  readonly entryBytesMin: number;
}

function fieldsOf(bits: 32 | 64) {
  return bits === 64
    ? {
      headerBytes: 64,
      segments: { offset: 32, entryBytes: 54, count: 56, entryBytesMin: 56 },
      sections: { offset: 40, entryBytes: 58, count: 60, entryBytesMin: 64 },
    }
    : {
      headerBytes: 52,
      segments: { offset: 28, entryBytes: 42, count: 44, entryBytesMin: 32 },
      sections: { offset: 32, entryBytes: 46, count: 48, entryBytesMin: 40 },
    };
}

class Reader {
  readonly #source: ByteSource;
  readonly #bits: 32 | 64;
  readonly #isLittleEndian: boolean;

  constructor(source: ByteSource, bits: 32 | 64, isLittleEndian: boolean) {
    this.#source = source;
    this.#bits = bits;
    this.#isLittleEndian = isLittleEndian;
  }

  /** The entries of a table; `undefined` when it cannot be there. */
  table(header: DataView, fields: TableFields): readonly DataView[] | undefined {
    const offset = this.#word(header, fields.offset);
    const entryBytes = header.getUint16(fields.entryBytes, this.#isLittleEndian);
    const count = header.getUint16(fields.count, this.#isLittleEndian);
    if (count === 0) return [];
    if (entryBytes < fields.entryBytesMin || count > ENTRIES_MAX) return undefined;
    // Beyond 2^53 no file is that long either.
    if (offset + entryBytes * count > this.#source.size) return undefined;
    const bytes = this.#source.read(offset, entryBytes * count);
    if (bytes.length < entryBytes * count) return undefined;
    return Array.from(
      { length: count },
      (_, index) => viewOf(bytes.subarray(index * entryBytes, (index + 1) * entryBytes)),
    );
  }

  interpreter(segment: DataView): string {
    const offset = this.#word(segment, this.#bits === 64 ? 8 : 4);
    const length = this.#word(segment, this.#bits === 64 ? 32 : 16);
    if (offset + length > this.#source.size) return "";
    const bytes = this.#source.read(offset, Math.min(length, INTERPRETER_BYTES_MAX));
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** A number as wide as the file's class. */
  #word(view: DataView, at: number): number {
    return this.#bits === 64
      ? Number(view.getBigUint64(at, this.#isLittleEndian))
      : view.getUint32(at, this.#isLittleEndian);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
