/** The data of a user's events as postcard fields (`storage.md` 1), which a Rust program reads as a struct. */
import { PostcardReader, PostcardWriter } from "../../base/mod.ts";
import { FoldDecodeError } from "../cortex/mod.ts";
import type { FoldCodec } from "./fold_codecs.ts";

/** Kinds of postcard fields and what they are in TypeScript. */
interface FieldTypes {
  readonly u8: number;
  readonly u32: number;
  readonly u64: bigint;
  readonly flag: boolean;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly texts: readonly string[];
}

/** Kind of a field of {@linkcode postcardCodec}. */
export type PostcardFieldKind = keyof FieldTypes;

/** The object that fields make. */
export type PostcardFields<Fields extends Readonly<Record<string, PostcardFieldKind>>> = {
  readonly [Name in keyof Fields]: FieldTypes[Fields[Name]];
};

/**
 * Postcard fields in the order in which they are given; a Rust program reads them as a struct. Short, and about four
 * times as fast as JSON. Bytes behind the last field are not looked at, so that fields can be added at the end.
 *
 * @example
 * ```ts
 * import { postcardCodec } from "./postcard_codec.ts";
 * const codec = postcardCodec({ account: "text", cents: "u64" });
 * const bytes = codec.encode({ account: "a", cents: 300n });
 * console.assert(bytes.toHex() === "0161ac02" && codec.decode(bytes).cents === 300n);
 * ```
 */
export function postcardCodec<const Fields extends Readonly<Record<string, PostcardFieldKind>>>(
  fields: Fields,
): FoldCodec<PostcardFields<Fields>> {
  const list = Object.entries(fields);
  return {
    encode: (value) => {
      const writer = new PostcardWriter();
      for (const [name, kind] of list) {
        if (!KINDS[kind].write(writer, value[name])) {
          throw new TypeError(`"${name}" must be ${KINDS[kind].expected}`);
        }
      }
      return writer.finish();
    },
    decode: (bytes) => {
      const reader = new PostcardReader(bytes);
      const value = Object.fromEntries(
        list.map(([name, kind]) => [name, KINDS[kind].read(reader)]),
      );
      if (reader.failure === undefined) return value as PostcardFields<Fields>;
      throw new FoldDecodeError(`data is not these postcard fields: ${reader.failure}`);
    },
  };
}

interface Kind {
  readonly expected: string;
  /** False when the value is not of this kind. */
  readonly write: (writer: PostcardWriter, value: unknown) => boolean;
  readonly read: (reader: PostcardReader) => unknown;
}

const KINDS: Readonly<Record<PostcardFieldKind, Kind>> = {
  u8: {
    expected: "a whole number of 0..255",
    write: (writer, value) => isWhole(value, 0xff) && did(writer.u8(value)),
    read: (reader) => reader.u8(),
  },
  u32: {
    expected: "a whole number of 0..2^32-1",
    write: (writer, value) => isWhole(value, 0xffff_ffff) && did(writer.varint(value)),
    read: (reader) => reader.u32(),
  },
  u64: {
    expected: "a bigint of 0..2^64-1",
    write: (writer, value) =>
      typeof value === "bigint" && value >= 0n && value < 1n << 64n && did(writer.varint(value)),
    read: (reader) => reader.u64(),
  },
  flag: {
    expected: "true or false",
    write: (writer, value) => typeof value === "boolean" && did(writer.flag(value)),
    read: (reader) => reader.flag(),
  },
  text: {
    expected: "a text",
    write: (writer, value) => typeof value === "string" && did(writer.text(value)),
    read: (reader) => reader.text(),
  },
  bytes: {
    expected: "a Uint8Array",
    write: (writer, value) => value instanceof Uint8Array && did(writer.byteVector(value)),
    // The log's bytes are its own: a state keeps a copy.
    read: (reader) => reader.byteVector().slice(),
  },
  texts: {
    expected: "a list of texts",
    write: (writer, value) =>
      isTexts(value) && did(writer.list(value, (text) => void writer.text(text))),
    read: (reader) => reader.list(1, () => reader.text()),
  },
};

function did(_written: unknown): true {
  return true;
}

function isWhole(value: unknown, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
