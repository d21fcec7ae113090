/**
 * An open segment: its records by rank, read by position, and appended to when it is the live one.
 *
 * The rank of a record is its place among the sound ones.
 */
import type { Disk } from "../../../base/mod.ts";
import { RecordBatch } from "../../../core/crypto/mod.ts";
import { RedexError } from "../error.ts";
import { appendLarge } from "./append_large.ts";
import type { DamageRuns } from "./damage_runs.ts";
import { describe, diskFailure } from "./disk_failure.ts";
import { INDEX_BYTES, type IndexRecords, TIME_BYTES } from "./record_format.ts";
import type { SegmentContent } from "./segment_content.ts";
import {
  closeSegmentFiles,
  openSegmentFiles,
  type SegmentFiles,
  syncSegmentFiles,
} from "./segment_files.ts";
import { placeInPage, SegmentPages } from "./segment_pages.ts";
import type { Slices } from "./slices.ts";
import { writeAgain } from "./write_again.ts";

/** Where and when records are appended. */
export interface AppendPlace {
  readonly firstSeq: number;
  readonly timeLow: number;
  readonly timeHigh: number;
  readonly isInline: boolean;
}

/** Whole index records with their payloads and times, made elsewhere. */
export interface RecordParts {
  readonly idx: Uint8Array;
  readonly dat: Uint8Array;
  readonly ts: Uint8Array;
  readonly count: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

let batch: RecordBatch | undefined;

/** The one piece of memory in which appends are put together; used within one call. */
export function sharedBatch(): RecordBatch {
  return batch ??= new RecordBatch();
}

/** One segment. */
export class Segment {
  #files: SegmentFiles;
  readonly damage: DamageRuns;
  #pages: SegmentPages;
  readonly #content: SegmentContent;
  #records: number;
  #datBytes: number;
  #heapBytes: number;
  #firstSeq: number;
  #lastSeq: number;
  #entries: number;
  #synced: SegmentContent;
  #failure: string | undefined;
  #isUnsure = false;
  /** An append that failed was taken back, and a crash may yet find it. */
  #isCut = false;

  /** @param content What is in the files, all of it on the device. */
  constructor(files: SegmentFiles, content: SegmentContent) {
    this.#files = files;
    this.damage = content.damage;
    this.#content = content;
    this.#records = content.records;
    this.#datBytes = content.datBytes;
    this.#heapBytes = content.heapBytes;
    this.#firstSeq = content.firstSeq;
    this.#lastSeq = content.lastSeq;
    this.#entries = content.times.entries;
    this.#synced = content;
    this.#pages = new SegmentPages(files);
  }

  get files(): SegmentFiles {
    return this.#files;
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

  /** No number between the first and the last is missing. */
  get isDense(): boolean {
    return this.#lastSeq - this.#firstSeq + 1 === this.count;
  }

  /** Why nothing can be appended. */
  get failure(): string | undefined {
    if (this.#failure !== undefined) return this.#failure;
    return this.#isUnsure ? "a sync failed; the next one writes that part again" : undefined;
  }

  /** A sync failed, and nobody knows what of the unsynced part the device has. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  /** What of it is on the device. */
  get synced(): SegmentContent {
    return this.#synced;
  }

  /** What is in the files now. */
  get content(): SegmentContent {
    return {
      records: this.#records,
      datBytes: this.#datBytes,
      heapBytes: this.#heapBytes,
      firstSeq: this.#firstSeq,
      lastSeq: this.#lastSeq,
      damage: this.damage,
      times: { ...this.#content.times, entries: this.#entries },
    };
  }

  /**
   * Appends records, or leaves the files as they were.
   *
   * @param log What the log is called in errors.
   */
  append(payloads: readonly Uint8Array[], place: AppendPlace, log: string): void {
    this.#assertWritable(log);
    const { files } = this;
    const records = sharedBatch();
    const { firstSeq, timeLow, timeHigh, isInline } = place;
    let datBytes = 0;
    try {
      if (records.fill(payloads, 0) === payloads.length) {
        const offset = this.#datBytes;
        records.make({ firstSeq, offset, timeLow, timeHigh, isInline });
        datBytes = isInline ? 0 : records.byteLength;
        if (datBytes > 0) files.dat.writeAt(offset, records.payloads);
        files.idx.writeAt(this.#records * INDEX_BYTES, records.records);
        files.ts.writeAt(this.#entries * TIME_BYTES, records.times);
      } else {
        datBytes = appendLarge(files, this.content, payloads, place, records);
      }
    } catch (error) {
      this.#takeBack(error);
      throw diskFailure(error, appendAction(log));
    }
    this.#grow(payloads.length, datBytes, firstSeq, firstSeq + payloads.length - 1);
  }

  /**
   * Appends records that were made elsewhere, or leaves the files as they were.
   *
   * @throws What the disk said.
   */
  appendParts({ idx, dat, ts, count, firstSeq, lastSeq }: RecordParts): void {
    this.#assertWritable(this.files.folder);
    try {
      if (dat.length > 0) this.files.dat.writeAt(this.#datBytes, dat);
      this.files.idx.writeAt(this.#records * INDEX_BYTES, idx);
      this.files.ts.writeAt(this.#entries * TIME_BYTES, ts);
    } catch (error) {
      this.#takeBack(error);
      throw error;
    }
    this.#grow(count, dat.length, firstSeq, lastSeq);
  }

  /** Nothing can be appended from here on. */
  poison(why: string): void {
    this.#failure ??= why;
  }

  /** Resolves when what was appended before the call is on the device. */
  async sync(slices: Slices): Promise<void> {
    const { content } = this;
    if (this.#synced.records === content.records && !this.#isUnsure && !this.#isCut) return;
    const isCut = this.#isCut;
    this.#isCut = false;
    if (this.#isUnsure) await this.#writeUnsyncedAgain(slices);
    try {
      await syncSegmentFiles(this.files);
    } catch (error) {
      this.#isUnsure = true;
      this.#isCut = isCut;
      throw error;
    }
    this.#isUnsure = false;
    this.#synced = content;
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

  /** Number of a sound record. */
  seqAt(rank: number): number {
    if (this.isDense) return this.#firstSeq + rank;
    const record = this.damage.recordOf(rank);
    return this.index(record).seq(placeInPage(record));
  }

  /**
   * Number of a sound record as its place and its neighbours allow it; `undefined` when it was damaged since.
   *
   * @param above Number of a record before it.
   */
  soundSeq(rank: number, page: IndexRecords, at: number, above: number): number | undefined {
    const seq = page.seq(at);
    if (this.isDense) return seq === this.#firstSeq + rank ? seq : undefined;
    // Numbers go up, so there has to be room for those of all records behind it.
    return seq > above && seq <= this.#lastSeq - (this.count - 1 - rank) ? seq : undefined;
  }

  /** The page of the index that has a record; its place there is {@linkcode placeInPage}. */
  index(record: number): IndexRecords {
    return this.#pages.index(record, this.#records);
  }

  /** Time of a sound record, Unix nanoseconds. */
  timeAt(rank: number): bigint {
    const { unknownCount, unknownNs, shift } = this.#content.times;
    if (rank < unknownCount) return unknownNs;
    return this.#pages.time(rank - shift, this.#entries);
  }

  /** Payload bytes of a sound record; 0 for an inline one. */
  heapLengthAt(rank: number): number {
    const record = this.damage.recordOf(rank);
    return this.index(record).heapLength(placeInPage(record));
  }

  /** Payload bytes of the sound records from `rank` on, and of damaged ones between them. */
  heapBytesFrom(rank: number): number {
    if (rank <= 0) return this.#heapBytes;
    for (let at = rank; at < this.count; at++) {
      const record = this.damage.recordOf(at);
      const page = this.index(record);
      const place = placeInPage(record);
      if (page.isInline(place)) continue;
      return Math.max(0, Math.min(this.#heapBytes, this.#datBytes - page.offset(place)));
    }
    return 0;
  }

  /** The folder has another name now: files are opened under that, if that is possible. */
  moved(disk: Disk, folder: string): void {
    const before = this.#files;
    try {
      this.#files = openSegmentFiles(disk, folder);
    } catch {
      // The open ones are as good.
      return;
    }
    this.#pages = new SegmentPages(this.#files);
    closeSegmentFiles(before);
  }

  close(): void {
    closeSegmentFiles(this.files);
  }

  #assertWritable(log: string): void {
    const { failure } = this;
    if (failure === undefined) return;
    throw new RedexError("io", `${appendAction(log)}: ${failure}`, {
      next: this.#failure === undefined
        ? "sync it when the device works again, or close the log and open it again"
        : "close the log and open it again",
    });
  }

  #grow(count: number, datBytes: number, firstSeq: number, lastSeq: number): void {
    this.#records += count;
    this.#datBytes += datBytes;
    this.#heapBytes += datBytes;
    this.#entries += count;
    if (this.#firstSeq < 0) this.#firstSeq = firstSeq;
    this.#lastSeq = lastSeq;
  }

  /** Takes back what a failed append wrote: first the index, so that no record is without its payload. */
  #takeBack(cause: unknown): void {
    this.#isCut = true;
    try {
      this.files.idx.truncate(this.#records * INDEX_BYTES);
      this.files.dat.truncate(this.#datBytes);
      this.files.ts.truncate(this.#entries * TIME_BYTES);
    } catch (error) {
      this.poison(
        `a write failed (${describe(cause)}) and could not be taken back (${describe(error)})`,
      );
    }
  }

  /**
   * After a sync that failed the system may call pages clean that never reached the device, so the next one
   * alone would pretend. What was not synced is read, checked and written again.
   */
  async #writeUnsyncedAgain(slices: Slices): Promise<void> {
    try {
      await writeAgain(this.files, this.#synced, this.content, slices);
    } catch (error) {
      this.poison(`a sync failed and its part cannot be written again: ${describe(error)}`);
      throw error;
    }
  }
}

function appendAction(log: string): string {
  return `Cannot append to log "${log}"`;
}
