/**
 * Records of one channel in a folder of files, byte for byte as the reference keeps them
 * (`storage.md` 3).
 */
import type { Clock, Disk } from "../../../base/mod.ts";
import { RedexError } from "../error.ts";
import type { RecordRead, RecordStore } from "../record_store.ts";
import { compactSegment } from "./compact_segment.ts";
import { diskFailure } from "./disk_failure.ts";
import { openGeneration, removeOtherGenerations } from "./generations.ts";
import { SEGMENT_BYTES_MAX, SEQ_MAX } from "./limits.ts";
import { type ReadProgress, readSegment } from "./read_segment.ts";
import { encodeRecords } from "./record_encoder.ts";
import { generationName, INDEX_BYTES, INLINE_BYTES } from "./record_format.ts";
import { recoverSegment } from "./recover_segment.ts";
import { nothingVerified, scanSegment } from "./scan_segment.ts";
import { Segment } from "./segment.ts";
import { openSegmentFiles, syncSegmentFiles } from "./segment_files.ts";
import { Slices } from "./slices.ts";

/** What a store on disk needs. */
export interface DiskStoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The channel's folder; made when there is none. */
  readonly folder: string;
  /** Payload bytes after which a segment is full: {@linkcode SEGMENT_BYTES_MAX} when left out. */
  readonly segmentBytesMax?: number;
}

/**
 * Opens the records in a folder, after bringing it in order.
 *
 * @throws RedexError `io`, `no_space`, `seq_out_of_range`.
 */
export async function openDiskRecordStore(options: DiskStoreOptions): Promise<RecordStore> {
  const { disk, clock, folder } = options;
  const action = `Cannot open log "${folder}"`;
  const slices = new Slices(clock);
  try {
    const generation = openGeneration(disk, folder);
    let files = openSegmentFiles(disk, `${folder}/${generationName(generation)}`);
    try {
      const scan = await scanSegment(files, nothingVerified(), slices);
      const recovered = await recoverSegment(disk, files, scan, wallNs(clock), slices);
      files = recovered.files;
      removeOtherGenerations(disk, folder, generation);
      await syncSegmentFiles(files);
      const segment = new Segment(files, recovered.content);
      return new DiskRecordStore(options, generation, segment);
    } catch (error) {
      for (const file of [files.idx, files.dat, files.ts]) file.close();
      throw error;
    }
  } catch (error) {
    throw diskFailure(error, action);
  }
}

/** The clock's time of day in nanoseconds. */
export function wallNs(clock: Clock): bigint {
  return BigInt(Math.round(clock.wallMs() * 1000)) * 1000n;
}

class DiskRecordStore implements RecordStore {
  readonly #options: DiskStoreOptions;
  readonly #segmentBytesMax: number;
  #live: Segment;
  #generation: number;
  #nextSeq: number;
  #firstSeq: number;
  #persistedSeq: number;
  #damaged: number;
  #isClosed = false;
  #failure: string | undefined;
  /** Work on the files one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #nextSync: Promise<void> | undefined;

  constructor(options: DiskStoreOptions, generation: number, live: Segment) {
    this.#options = options;
    this.#segmentBytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX;
    this.#live = live;
    this.#generation = generation;
    this.#nextSeq = live.lastSeq + 1;
    this.#firstSeq = live.count === 0 ? this.#nextSeq : live.firstSeq;
    this.#persistedSeq = this.#nextSeq;
    this.#damaged = live.damage.total;
  }

  get firstSeq(): number {
    return this.#firstSeq;
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }

  get count(): number {
    return this.#live.count;
  }

  get bytes(): number {
    return this.#live.count * INDEX_BYTES + this.#live.heapBytes;
  }

  get generation(): number {
    return this.#generation;
  }

  get damaged(): number {
    return this.#damaged;
  }

  get persistedSeq(): number {
    return this.#persistedSeq;
  }

  get failure(): string | undefined {
    return this.#failure ?? this.#live.failure;
  }

  append(payloads: readonly Uint8Array[], timeNs: bigint, isInline = false): number {
    const action = this.#action("append to");
    this.#assertOpen(action);
    const first = this.#nextSeq;
    const bytes = isInline ? 0 : this.#checkSizes(payloads, action);
    if (isInline && payloads.some(({ length }) => length !== INLINE_BYTES)) {
      throw new RedexError("encode", `${action}: an inline payload has exactly 8 bytes`);
    }
    if (first + payloads.length > SEQ_MAX) {
      throw new RedexError("seq_out_of_range", `${action}: sequence numbers end at 2^53`);
    }
    if (this.#live.datBytes + bytes > this.#segmentBytesMax) {
      throw new RedexError("payload_too_large", `${action}: the segment is full`);
    }
    const encoded = encodeRecords(payloads, first, this.#live.datBytes, timeNs, isInline);
    this.#live.append(encoded, first, action);
    if (this.#live.count === encoded.count) this.#firstSeq = first;
    this.#nextSeq = first + payloads.length;
    return first;
  }

  read(from: number, to: number, recordsMax: number, bytesMax: number): RecordRead {
    const start = Math.max(from, this.#firstSeq);
    const progress: ReadProgress = {
      records: [],
      damaged: [],
      next: start,
      recordsLeft: recordsMax,
      bytesLeft: bytesMax,
    };
    try {
      const end = Math.min(to, this.#nextSeq);
      // Behind the last record may be numbers that were skipped.
      if (readSegment(this.#live, end, progress)) progress.next = Math.max(progress.next, end);
    } catch (error) {
      throw diskFailure(error, this.#action("read"));
    }
    this.#damaged += progress.damaged.length;
    return progress;
  }

  skipTo(seq: number): void {
    if (seq < this.#nextSeq || seq > SEQ_MAX) {
      throw new RedexError(
        "seq_out_of_range",
        `${this.#action("move on")}: ${seq} is below the next number ${this.#nextSeq}`,
      );
    }
    this.#nextSeq = seq;
    if (this.count === 0) this.#firstSeq = seq;
  }

  sync(): Promise<void> {
    if (this.#nextSync !== undefined) return this.#nextSync;
    const sync = this.#inTurn(async () => {
      this.#nextSync = undefined;
      await this.#syncNow();
    });
    this.#nextSync = sync;
    return sync;
  }

  firstToKeep(rule: {
    readonly eventsMax?: number;
    readonly bytesMax?: number;
    readonly notBeforeNs?: bigint;
  }): number {
    const { count } = this.#live;
    let rank = 0;
    if (rule.eventsMax !== undefined) rank = Math.max(rank, count - rule.eventsMax);
    const { bytesMax, notBeforeNs } = rule;
    if (bytesMax !== undefined) {
      rank = bisect(rank, count, (at) => {
        return (count - at) * INDEX_BYTES + this.#live.heapBytesFrom(at) <= bytesMax;
      });
    }
    if (notBeforeNs !== undefined) {
      rank = bisect(rank, count, (at) => this.#live.timeAt(at) >= notBeforeNs);
    }
    return rank >= count ? this.#nextSeq : this.#live.seqAt(rank);
  }

  compact(firstSeq: number): Promise<void> {
    return this.#inTurn(async () => {
      const action = this.#action("compact");
      this.#assertOpen(action);
      if (this.failure !== undefined) throw new RedexError("io", `${action}: ${this.failure}`);
      const { disk, clock, folder } = this.#options;
      const before = this.#live;
      try {
        const fresh = await compactSegment({
          disk,
          folder,
          slices: new Slices(clock),
          segment: before,
          generation: this.#generation,
          firstSeq,
        });
        this.#live = fresh.segment;
        this.#generation = fresh.generation;
        this.#firstSeq = fresh.segment.count === 0 ? this.#nextSeq : fresh.segment.firstSeq;
        before.close();
      } catch (error) {
        throw diskFailure(error, action);
      }
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#inTurn(async () => {
      try {
        await this.#syncNow();
      } finally {
        this.#live.close();
      }
    });
  }

  async #syncNow(): Promise<void> {
    const upTo = this.#nextSeq;
    if (upTo === this.#persistedSeq) return;
    try {
      await syncSegmentFiles(this.#live.files);
    } catch (error) {
      throw diskFailure(error, this.#action("sync"));
    }
    this.#persistedSeq = upTo;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#work.then(work);
    this.#work = turn.catch(() => {});
    return turn;
  }

  #checkSizes(payloads: readonly Uint8Array[], action: string): number {
    let bytes = 0;
    for (const { length } of payloads) bytes += length;
    if (bytes <= this.#segmentBytesMax) return bytes;
    throw new RedexError(
      "payload_too_large",
      `${action}: ${bytes} bytes, must be at most ${this.#segmentBytesMax}`,
      { next: "append less at once" },
    );
  }

  #assertOpen(action: string): void {
    if (this.#isClosed) throw new RedexError("closed", `${action}: file closed`);
  }

  #action(verb: string): string {
    return `Cannot ${verb} log "${this.#options.folder}"`;
  }
}

/** First of `from` ≤ at < `to` for which `isTrue`, where it is true for all behind the first; else `to`. */
function bisect(from: number, to: number, isTrue: (at: number) => boolean): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isTrue(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
