/**
 * Records of a pack read ahead: who gets a folder asks for its chunks in the order in which they were written, and
 * then neither a look-up in the index nor a read of the device is needed for each.
 *
 * What is read ahead counts only while all of its pack does: a record may be dead, and its bytes do not tell.
 */
import { toHex } from "../../base/mod.ts";
import type { PackFiles } from "./pack_files.ts";
import type { PackIndex } from "./pack_index.ts";
import { chunkBytesOf, type PackPlace } from "./pack_place.ts";
import { decodeHeader, RECORD_HEADER_BYTES } from "./pack_record.ts";
import type { PackedChunk } from "./waiting_records.ts";

/** Bytes read at once: some hundred small records. */
const AHEAD_BYTES = 128 * 1024;

interface AheadRecord {
  /** Where it begins in the bytes that were read, behind its header. */
  readonly start: number;
  readonly storedBytes: number;
  readonly isSealed: boolean;
}

/** What was read ahead of one pack. */
export class ReadAhead {
  readonly #files: PackFiles;
  readonly #index: PackIndex;
  readonly #buffer = new Uint8Array(AHEAD_BYTES);
  /** By hash in hex. */
  readonly #records = new Map<string, AheadRecord>();
  #pack = 0;
  /** Where the buffer begins and ends in the pack. */
  #from = 0;
  #end = 0;
  /** Where a reader goes on that reads one behind the other. */
  #next = -1;

  constructor(files: PackFiles, index: PackIndex) {
    this.#files = files;
    this.#index = index;
  }

  /** A chunk that was read ahead, once. */
  take(key: string): PackedChunk | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    this.#records.delete(key);
    const { start, storedBytes, isSealed } = record;
    if (!this.#isAllLive(this.#pack)) return undefined;
    this.#next = this.#from + start + storedBytes;
    const stored = this.#buffer.slice(start, start + storedBytes);
    return { stored, isSealed, size: chunkBytesOf({ storedBytes, isSealed }) };
  }

  /** Says that a chunk was read; reads on when the one before it was, too. */
  note({ pack, at, storedBytes }: PackPlace): void {
    const isInOrder = pack === this.#pack && at === this.#next;
    this.#pack = pack;
    this.#next = at + RECORD_HEADER_BYTES + storedBytes;
    this.#records.clear();
    if (isInOrder) this.#fill();
  }

  #fill(): void {
    this.#from = this.#end = this.#next;
    if (!this.#isAllLive(this.#pack)) return;
    const length = this.#files.readSome(this.#pack, this.#from, this.#buffer);
    let at = 0;
    while (at + RECORD_HEADER_BYTES <= length) {
      const header = decodeHeader(this.#buffer.subarray(at, at + RECORD_HEADER_BYTES), 0);
      if (header === undefined) break;
      const { hash, storedBytes, isSealed } = header;
      const start = at + RECORD_HEADER_BYTES;
      if (start + storedBytes > length) break;
      this.#records.set(toHex(hash), { start, storedBytes, isSealed });
      at = start + storedBytes;
    }
    this.#end = this.#from + at;
  }

  /** True when there is nothing dead in a pack, and it is still as long as what was read. */
  #isAllLive(pack: number): boolean {
    const size = this.#files.sizes.get(pack);
    return size !== undefined && this.#end <= size &&
      this.#index.packs.get(pack)?.liveFileBytes === size;
  }
}
