/**
 * A whole database as bytes (`storage.md` 13, `docs/netdb.md`).
 *
 * The head is the core's: postcard `{tasks, memories}`, each an option of (typed snapshot, option of last seq). The
 * core looks at nothing behind it; there a database of ours keeps its other collections:
 *
 * `NDBX` · u8 version 1 · list of (channel text, typed snapshot bytes, option of last seq) · u64 little-endian: XXH3
 * of all before it, the head included.
 */
import { equalBytes, PostcardReader, PostcardWriter, utf8 } from "../../base/mod.ts";
import { xxh3 } from "../../core/crypto/mod.ts";
import type { CortexSnapshot } from "../cortex/types.ts";
import { NetDbError } from "./error.ts";
import { BUNDLE_SECTIONS_MAX } from "./limits.ts";

/** What is in a bundle. Bytes are views of the bundle that was read. */
export interface NetDbBundle {
  readonly tasks?: CortexSnapshot;
  readonly memories?: CortexSnapshot;
  /** Other collections by channel. */
  readonly others?: ReadonlyMap<string, CortexSnapshot>;
}

const MAGIC = utf8("NDBX");
const VERSION = 1;
const CHECKSUM_BYTES = 8;
/** Least bytes of a section: empty name, empty snapshot, no seq. */
const SECTION_BYTES_MIN = 3;

/** What the core says of bytes that it cannot read, so that people find the same words. */
const FAILURES: Readonly<Record<string, string>> = {
  postcard_eof: "Hit the end of buffer, expected more data",
  postcard_enum: "Found an Option discriminant that wasn't 0 or 1",
  postcard_varint: "Found a varint that didn't terminate. Is the usize too big for this platform?",
  postcard_utf8: "Tried to parse invalid utf-8",
};

/** Writes a bundle; one without other collections is byte for byte what the core writes. */
export function encodeBundle(bundle: NetDbBundle): Uint8Array<ArrayBuffer> {
  const { tasks, memories, others } = bundle;
  const writer = new PostcardWriter(64 + sizeOf(tasks) + sizeOf(memories));
  writer.option(tasks, (snapshot) => writeSnapshot(writer, snapshot));
  writer.option(memories, (snapshot) => writeSnapshot(writer, snapshot));
  if (others === undefined || others.size === 0) return writer.finish();
  if (others.size > BUNDLE_SECTIONS_MAX) {
    throw new NetDbError(
      "limit",
      `encode snapshot bundle: ${others.size} collections, at most ${BUNDLE_SECTIONS_MAX}`,
    );
  }
  writer.bytes(MAGIC).u8(VERSION);
  const channels = [...others].sort(([a], [b]) => a < b ? -1 : 1);
  writer.list(channels, ([channel, snapshot]) => writeSnapshot(writer.text(channel), snapshot));
  const covered = writer.finish();
  const bytes = new Uint8Array(covered.length + CHECKSUM_BYTES);
  bytes.set(covered);
  new DataView(bytes.buffer).setBigUint64(covered.length, xxh3(covered), true);
  return bytes;
}

/**
 * Reads a bundle of the core or of ours.
 *
 * @throws NetDbError `decode`
 */
export function decodeBundle(bytes: Uint8Array): NetDbBundle {
  const reader = new PostcardReader(bytes);
  const tasks = reader.option(() => readSnapshot(reader));
  const memories = reader.option(() => readSnapshot(reader));
  if (reader.failure !== undefined) fail(FAILURES[reader.failure] ?? reader.failure);
  const others = readOthers(bytes, bytes.length - reader.remaining);
  return { tasks, memories, others };
}

function readOthers(bytes: Uint8Array, start: number): ReadonlyMap<string, CortexSnapshot> {
  const others = new Map<string, CortexSnapshot>();
  const magicEnd = start + MAGIC.length;
  // Anything else behind the head is not ours; the core looks at none of it.
  if (!equalBytes(bytes.subarray(start, magicEnd), MAGIC)) return others;
  const version = bytes[magicEnd];
  if (version !== VERSION) {
    fail(`version of the other collections is ${version}, must be ${VERSION}`);
  }
  const end = bytes.length - CHECKSUM_BYTES;
  if (end <= magicEnd) fail("the other collections are cut off");
  const stored = new DataView(bytes.buffer, bytes.byteOffset + end).getBigUint64(0, true);
  if (stored !== xxh3(bytes.subarray(0, end))) fail("its checksum is wrong");
  const reader = new PostcardReader(bytes.subarray(0, end), magicEnd + 1);
  const count = reader.count(SECTION_BYTES_MIN);
  if (count > BUNDLE_SECTIONS_MAX) fail(`${count} collections, at most ${BUNDLE_SECTIONS_MAX}`);
  for (let left = count; left > 0 && reader.failure === undefined; left--) {
    const channel = reader.text();
    others.set(channel, readSnapshot(reader));
  }
  if (reader.failure !== undefined) fail(FAILURES[reader.failure] ?? reader.failure);
  if (reader.remaining > 0 || others.size !== count) {
    fail("the other collections are not as written");
  }
  return others;
}

function readSnapshot(reader: PostcardReader): CortexSnapshot {
  return { bytes: reader.byteVector(), lastSeq: reader.option(() => reader.u64()) };
}

function writeSnapshot(writer: PostcardWriter, { bytes, lastSeq }: CortexSnapshot): void {
  writer.byteVector(bytes).option(lastSeq, (seq) => void writer.varint(seq));
}

function sizeOf(snapshot: CortexSnapshot | undefined): number {
  return snapshot === undefined ? 0 : snapshot.bytes.length + 20;
}

function fail(reason: string): never {
  throw new NetDbError("decode", `decode snapshot bundle: snapshot: ${reason}`);
}
