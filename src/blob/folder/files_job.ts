/**
 * Reads and hashes small files, many with one call; the same code runs in a worker and in line.
 *
 * What comes back of each file is a number in an array per property: half a thousand objects would cost as much as
 * reading the files.
 */
import { blake3Many } from "../../core/crypto/content/mod.ts";
import type { SmallChunks } from "../chunk_store.ts";
import { HASH_BYTES } from "../limits.ts";
import { type FileState, isSameState, readWholeFile, stateOfFile } from "./_file_reader.ts";
import { heldQuickReader, type QuickReader } from "./_quick_reader.ts";

/** Which files to read. */
export interface FilesJob {
  /** Folder that the paths are in, absolute. */
  readonly root: string;
  readonly paths: readonly string[];
  /** Takes the bytes of the files, one behind the other. */
  readonly into: Uint8Array;
  /** Longer files are not read. */
  readonly fileBytesMax: number;
}

/** What became of a file. */
export const FILE_READ = 0;
/** It is longer than is read here; only its mode and size are told. */
export const FILE_LONG = 1;
/** Something is wrong with it: it is to be looked at again, alone. */
export const FILE_AGAIN = 2;

/** What became of the files, in their order. */
export interface FilesRead {
  /** Files done: the rest did not fit. At least one. */
  readonly count: number;
  /** `FILE_…` of each. */
  readonly outcomes: Uint8Array<ArrayBuffer>;
  readonly modes: Uint32Array<ArrayBuffer>;
  readonly sizes: Float64Array<ArrayBuffer>;
  /** BLAKE3 of those that were read, one behind the other. */
  readonly hashes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads files until the next does not fit.
 *
 * @param reader Reads what it can; where there is none the runtime's own calls do it.
 */
export function readFiles(
  { root, paths, into, fileBytesMax }: FilesJob,
  reader: QuickReader | undefined = heldQuickReader(),
): FilesRead {
  const { length } = paths;
  const outcomes = new Uint8Array(length);
  const modes = new Uint32Array(length);
  const sizes = new Float64Array(length);
  /** Bytes of those that were read. */
  const read = new Uint32Array(length);
  let readCount = 0;
  let used = 0;
  let count = 0;
  for (; count < length; count++) {
    const path = `${root}/${paths[count]}`;
    try {
      if (reader !== undefined) {
        const place = into.subarray(used, used + fileBytesMax);
        const became = reader.read(path, place);
        modes[count] = reader.mode;
        sizes[count] = reader.size;
        if (became === "read") {
          read[readCount++] = reader.size;
          used += reader.size;
          continue;
        }
        if (became === "long" && reader.size <= fileBytesMax) break;
        outcomes[count] = became === "long" ? FILE_LONG : FILE_AGAIN;
        continue;
      }
      const state = stateOfFile(path);
      if (state === undefined) {
        outcomes[count] = FILE_AGAIN;
        continue;
      }
      modes[count] = state.mode;
      sizes[count] = state.size;
      if (state.size > fileBytesMax) {
        outcomes[count] = FILE_LONG;
        continue;
      }
      // One byte more shows that it grew.
      if (used + state.size + 1 > into.length) break;
      const place = into.subarray(used, used + state.size + 1);
      if (!isReadAs(path, place, state)) {
        outcomes[count] = FILE_AGAIN;
        continue;
      }
      read[readCount++] = state.size;
      used += state.size;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      outcomes[count] = FILE_AGAIN;
    }
  }
  reader?.leave();
  // Together: a short one alone takes as long as four.
  const hashes = blake3Many(into.subarray(0, used), read, readCount);
  return { count, outcomes, modes, sizes, hashes };
}

function isReadAs(path: string, place: Uint8Array, state: FileState): boolean {
  if (readWholeFile(path, place) !== state.size) return false;
  const after = stateOfFile(path);
  return after !== undefined && isSameState(after, state);
}

/** The files that were read, as the chunks they are. */
export function chunksOf(
  { count, outcomes, sizes, hashes }: FilesRead,
  buffer: Uint8Array,
): SmallChunks {
  const read = new Float64Array(hashes.length / HASH_BYTES);
  let [next, bytes] = [0, 0];
  for (let i = 0; i < count; i++) {
    if (outcomes[i] !== FILE_READ) continue;
    const size = sizes[i] ?? 0;
    read[next++] = size;
    bytes += size;
  }
  return { count: next, hashes, sizes: read, bytes: buffer.subarray(0, bytes) };
}
