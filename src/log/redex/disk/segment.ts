/**
 * One segment: its records by rank, read by position, and appended to when it is the live one.
 *
 * The rank of a record is its place among the sound ones.
 */
import { RedexError } from "../error.ts";
import type { DamageRuns } from "./damage_runs.ts";
import { describe, diskFailure } from "./disk_failure.ts";
import { INDEX_BYTES, type IndexRecords, TIME_BYTES } from "./record_format.ts";
import type { EncodedRecords } from "./record_encoder.ts";
import type { SegmentContent } from "./recover_segment.ts";
import { closeSegmentFiles, type SegmentFiles } from "./segment_files.ts";
import { SegmentPages } from "./segment_pages.ts";
import type { SegmentTimes } from "./segment_times.ts";

/** An open segment. */
export class Segment {
  readonly files: SegmentFiles;
  readonly damage: DamageRuns;
  readonly times: SegmentTimes;
  readonly #pages: SegmentPages;
  #records: number;
  #datBytes: number;
  #heapBytes: number;
  #firstSeq: number;
  #lastSeq: number;
  #failure: string | undefined;

  constructor(files: SegmentFiles, content: SegmentContent) {
    this.files = files;
    this.damage = content.damage;
    this.times = content.times;
    this.#records = content.records;
    this.#datBytes = content.datBytes;
    this.#heapBytes = content.heapBytes;
    this.#firstSeq = content.firstSeq;
    this.#lastSeq = content.lastSeq;
    this.#pages = new SegmentPages(files);
  }

  /** Records of the index file, damaged ones included. */
  get records(): number {
    return this.#records;
  }

  /** Sound records. */
  get count(): number {
    return this.#records - this.damage.total;
  }

  /** Where the next payload goes. */
  get datBytes(): number {
    return this.#datBytes;
  }

  /** Bytes of the payloads of sound records that are not inline. */
  get heapBytes(): number {
    return this.#heapBytes;
  }

  /** Number of the first sound record; −1 without one. */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** Number of the last sound record; −1 without one. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Why nothing can be appended. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Appends whole records, or leaves the files as they were. */
  append(encoded: EncodedRecords, firstSeq: number, action: string): void {
    if (this.#failure !== undefined) {
      throw new RedexError("io", `${action}: ${this.#failure}`, {
        next: "close the log and open it again",
      });
    }
    try {
      if (encoded.datBytes > 0) encoded.writePayloads(this.files.dat, this.#datBytes);
      this.files.idx.writeAt(this.#records * INDEX_BYTES, encoded.idx);
      this.files.ts.writeAt(this.times.entries * TIME_BYTES, encoded.ts);
    } catch (error) {
      this.#takeBack(error);
      throw diskFailure(error, action);
    }
    this.#records += encoded.count;
    this.#datBytes += encoded.datBytes;
    this.#heapBytes += encoded.datBytes;
    this.times.entries += encoded.count;
    if (this.#firstSeq < 0) this.#firstSeq = firstSeq;
    this.#lastSeq = firstSeq + encoded.count - 1;
  }

  /** Nothing can be appended from here on. */
  poison(why: string): void {
    this.#failure ??= why;
  }

  /** Rank of the first sound record whose number is at least `seq`. */
  rankFrom(seq: number): number {
    if (this.count === 0 || seq <= this.#firstSeq) return 0;
    if (seq > this.#lastSeq) return this.count;
    if (this.isDense) return seq - this.#firstSeq;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.seqAt(middle) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** No number between the first and the last is missing. */
  get isDense(): boolean {
    return this.#lastSeq - this.#firstSeq + 1 === this.count;
  }

  seqAt(rank: number): number {
    const { page, at } = this.index(this.damage.recordOf(rank));
    return page.seq(at);
  }

  /** Page of the index that has a record, and its place there. */
  index(record: number): { readonly page: IndexRecords; readonly at: number } {
    return this.#pages.index(record, this.#records);
  }

  /** Time of a sound record, Unix nanoseconds. */
  timeAt(rank: number): bigint {
    const { unknownCount, unknownNs, shift, entries } = this.times;
    if (rank < unknownCount) return unknownNs;
    return this.#pages.time(rank - shift, entries);
  }

  /** Payload bytes of the records behind `rank`, that one included. */
  heapBytesFrom(rank: number): number {
    if (rank <= 0) return this.#heapBytes;
    for (let at = rank; at < this.count; at++) {
      const { page, at: place } = this.index(this.damage.recordOf(at));
      if (page.isInline(place)) continue;
      return Math.max(0, Math.min(this.#heapBytes, this.#datBytes - page.offset(place)));
    }
    return 0;
  }

  close(): void {
    closeSegmentFiles(this.files);
  }

  /** Takes back what a failed append wrote: first the index, so that no record is without its payload. */
  #takeBack(cause: unknown): void {
    try {
      this.files.idx.truncate(this.#records * INDEX_BYTES);
      this.files.dat.truncate(this.#datBytes);
      this.files.ts.truncate(this.times.entries * TIME_BYTES);
    } catch (error) {
      this.poison(
        `a write failed (${describe(cause)}) and could not be taken back (${describe(error)})`,
      );
    }
  }
}
