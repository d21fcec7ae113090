/**
 * Records of one channel in a folder of files, byte for byte as the reference keeps them
 * (`storage.md` 3), with full segments beside the live one (`docs/redex.md`).
 *
 * Appends and reads are synchronous; what takes time runs one after the other beside them. Memory holds a
 * few pages of the index and no payloads.
 */
import type { Clock, Disk } from "../../../base/mod.ts";
import { RedexError } from "../error.ts";
import type { RecordRead, RecordStore } from "../record_store.ts";
import { checkAppend } from "./check_append.ts";
import { Checkpoint, type CheckpointPlace } from "./checkpoint.ts";
import { diskFailure } from "./disk_failure.ts";
import {
  DAMAGED_SEEN_MAX,
  LAZY_BYTES,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
  SEGMENT_RECORDS_MAX,
  SEQ_MAX,
} from "./limits.ts";
import { type OpenedLog, openLog } from "./open_log.ts";
import type { ReadProgress } from "./read_segment.ts";
import { RecentRecords } from "./recent_records.ts";
import { INLINE_BYTES } from "./record_format.ts";
import { requireThere } from "./require_there.ts";
import { rewriteLive, type RewriteOptions, rewriteSealed } from "./rewrite_segment.ts";
import { rotateSegment } from "./rotate_segment.ts";
import { removeAllSealed } from "./sealed_folder.ts";
import type { SealedSegment } from "./sealed_segment.ts";
import type { AppendPlace } from "./segment.ts";
import { type KeepRule, SegmentList } from "./segment_list.ts";
import { Slices } from "./slices.ts";

/** What a store on disk needs. */
export interface DiskStoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The channel's folder; made when there is none. */
  readonly folder: string;
  /** Payload bytes after which a segment is full: {@linkcode SEGMENT_BYTES_MAX} when left out, and at most. */
  readonly segmentBytesMax?: number;
}

/**
 * Opens the records in a folder, after bringing it in order.
 *
 * @throws RedexError `io`, `no_space`, `seq_out_of_range`, `decode` when too much of it is damaged.
 */
export function openDiskRecordStore(options: DiskStoreOptions): Promise<RecordStore> {
  const bytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX;
  if (!(bytesMax >= SEGMENT_BYTES_MIN && bytesMax <= SEGMENT_BYTES_MAX)) {
    throw new RangeError(
      `Cannot open log: a segment of ${bytesMax} bytes, must be ${SEGMENT_BYTES_MIN} to ` +
        `${SEGMENT_BYTES_MAX}`,
    );
  }
  return openStore(options, bytesMax, false);
}

/** Opens the records in a folder without believing any note, to write them anew. */
export function openForRepair(options: DiskStoreOptions): Promise<RecordStore> {
  return openStore(options, SEGMENT_BYTES_MAX, true);
}

async function openStore(
  options: DiskStoreOptions,
  segmentBytesMax: number,
  isRepair: boolean,
): Promise<RecordStore> {
  let log: OpenedLog | undefined;
  try {
    log = await openLog({ ...options, isRepair });
    const store = new DiskRecordStore(options, segmentBytesMax, log);
    await store.noteOpened();
    return store;
  } catch (error) {
    log?.live.close();
    throw diskFailure(error, `Cannot open log "${options.folder}"`);
  }
}

class DiskRecordStore implements RecordStore {
  readonly #options: DiskStoreOptions;
  readonly #segmentBytesMax: number;
  readonly #segments: SegmentList;
  readonly #recent = new RecentRecords();
  #generation: number;
  #nextSeq: number;
  #persistedSeq: number;
  /** Damaged records of which it is known, and the numbers of those met since it was opened. */
  #damagedKnown: number;
  readonly #damagedSeen = new Set<number>();
  readonly #checkpoint: Checkpoint;
  /** Full segments that a forgetting before a crash left behind. */
  readonly #goneAtOpen: readonly SealedSegment[];
  /** Something was forgotten, and no note on the device says so: a crash must not find less than the note needs. */
  #isForgettingUnnoted = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  /** Work on the files, one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #nextSync: Promise<void> | undefined;
  /** The time of the last append in halves, as a batch after a batch often has the same. */
  #timeNs = 0n;
  #timeLow = 0;
  #timeHigh = 0;

  constructor(options: DiskStoreOptions, segmentBytesMax: number, log: OpenedLog) {
    this.#options = options;
    this.#segmentBytesMax = segmentBytesMax;
    this.#segments = new SegmentList(log.sealed, log.live, 0);
    this.#generation = log.generation;
    this.#nextSeq = log.nextSeq;
    this.#persistedSeq = log.nextSeq;
    this.#damagedKnown = log.live.damage.total;
    for (const { content } of log.sealed) this.#damagedKnown += content.damage.total;
    this.#goneAtOpen = this.#segments.keepOnly(log.keepFrom);
    const isTrusted = log.recordsTrusted === log.live.records;
    const written = isTrusted ? log.live.content : undefined;
    this.#checkpoint = new Checkpoint(options.disk, options.folder, written);
  }

  get firstSeq(): number {
    return this.#segments.firstSeq ?? this.#nextSeq;
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }

  get count(): number {
    return this.#segments.count;
  }

  get bytes(): number {
    return this.#segments.bytes;
  }

  get generation(): number {
    return this.#generation;
  }

  get damaged(): number {
    return this.#damagedKnown + this.#damagedSeen.size;
  }

  get persistedSeq(): number {
    return this.#persistedSeq;
  }

  get failure(): string | undefined {
    return this.#segments.live.failure;
  }

  append(payloads: readonly Uint8Array[], timeNs: bigint, isInline = false): number {
    if (this.#isClosed) this.#assertOpen(this.#action("append to"));
    const { folder } = this.#options;
    const [nextSeq, segmentBytesMax] = [this.#nextSeq, this.#segmentBytesMax];
    const bytes = checkAppend({ payloads, isInline, nextSeq, segmentBytesMax, folder });
    const place = this.#place(timeNs, isInline);
    const { live } = this.#segments;
    const isFull = live.datBytes + bytes > this.#segmentBytesMax ||
      live.records + payloads.length > SEGMENT_RECORDS_MAX;
    if (isFull) this.#rotate(payloads, place);
    else live.append(payloads, place, folder);
    this.#nextSeq = place.firstSeq + payloads.length;
    this.#recent.add(
      payloads,
      place.firstSeq,
      timeNs,
      isInline ? payloads.length * INLINE_BYTES : bytes,
    );
    return place.firstSeq;
  }

  read(from: number, to: number, recordsMax: number, bytesMax: number): RecordRead {
    const progress: ReadProgress = {
      records: [],
      damaged: [],
      known: [],
      next: from,
      recordsLeft: recordsMax,
      bytesLeft: bytesMax,
    };
    try {
      const isRecent = this.#recent.read(to, progress, this.#nextSeq);
      if (!isRecent) this.#segments.read(to, progress);
    } catch (error) {
      throw diskFailure(error, this.#action("read"));
    }
    for (const seq of progress.damaged) {
      if (this.#damagedSeen.size < DAMAGED_SEEN_MAX) this.#damagedSeen.add(seq);
    }
    if (progress.recordsLeft > 0 && progress.bytesLeft > 0) {
      progress.next = Math.max(progress.next, Math.min(to, this.#nextSeq));
    }
    if (progress.known.length === 0) return progress;
    const damaged = [...progress.known, ...progress.damaged].sort((left, right) => left - right);
    return { records: progress.records, next: progress.next, damaged };
  }

  skipTo(seq: number): void {
    if (seq < this.#nextSeq || seq > SEQ_MAX) {
      throw new RedexError(
        "seq_out_of_range",
        `${this.#action("move on")}: ${seq} is not from ${this.#nextSeq} on`,
      );
    }
    this.#nextSeq = seq;
  }

  sync(): Promise<void> {
    if (this.#nextSync !== undefined) return this.#nextSync;
    const sync = this.#inTurn(async () => {
      this.#nextSync = undefined;
      await this.#syncAll();
    });
    this.#nextSync = sync;
    return sync;
  }

  firstToKeep(rule: KeepRule): number {
    try {
      return this.#segments.firstToKeep(rule) ?? this.#nextSeq;
    } catch (error) {
      throw diskFailure(error, this.#action("read"));
    }
  }

  compact(firstSeq: number, isThorough = true): Promise<void> {
    return this.#inTurn(async () => {
      const action = this.#action("compact");
      this.#assertOpen(action);
      try {
        await this.#syncAll();
        const { failure } = this;
        if (failure !== undefined) {
          throw new RedexError("io", `${action}: ${failure}`, {
            next: "close the log and open it again",
          });
        }
        await this.#forget(Math.min(firstSeq, this.#nextSeq));
        await this.#rewrite(action, isThorough);
      } catch (error) {
        throw diskFailure(error, action);
      }
    });
  }

  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    this.#isClosed = true;
    this.#closing = this.#inTurn(async () => {
      try {
        await this.#syncAll();
        await this.#checkpoint.writeIfPossible(this.#segments.live, this.#checkpointPlace());
      } finally {
        this.#segments.close();
      }
    });
    return this.#closing;
  }

  /**
   * After reading much of a log, that much need not be read again; and which time belongs to which record is known
   * now where some are damaged, but not after another crash.
   */
  async noteOpened(): Promise<void> {
    await removeAllSealed(this.#options.disk, this.#goneAtOpen);
    const { live } = this.#segments;
    if (this.#checkpoint.isComplete(live)) return;
    const isUneven = live.damage.total > 0 || live.content.times.shift > 0;
    if (this.#checkpoint.isDue(live) || isUneven) await this.#noteForgotten().catch(() => {});
  }

  #rotate(payloads: readonly Uint8Array[], place: AppendPlace): void {
    const { disk, folder } = this.#options;
    const { live } = this.#segments;
    const action = this.#action("append to");
    if (live.failure !== undefined || live.count === 0) {
      // Says why: it cannot be written to, or what fills it is not records.
      live.append([], place, folder);
      throw new RedexError("segment_offset_overflow", `${action}: its payload file is full`, {
        next: "compact it",
      });
    }
    const generation = this.#generation;
    const rotated = rotateSegment({ disk, folder, live, generation, payloads, place, action });
    this.#generation = rotated.generation;
    this.#segments.addSealed(rotated.sealed, rotated.live);
    this.#segments.isLiveNamed = rotated.isNamed;
    this.#checkpoint.forget();
    // A full segment is put on the device soon, whatever the policy says: it is read again at every open until then.
    this.sync().catch(() => {});
  }

  async #syncAll(): Promise<void> {
    const upTo = this.#nextSeq;
    const { live } = this.#segments;
    const slices = new Slices(this.#options.clock);
    const unsealed = this.#segments.sealed.filter(({ isSealed }) => !isSealed);
    try {
      const syncs = [...unsealed.map((segment) => segment.open()), live];
      const outcomes = await Promise.allSettled(syncs.map((segment) => segment.sync(slices)));
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
      this.#nameLive();
      requireThere(this.#options, this.#generation, this.#segments.live, this.#action("sync"));
    } catch (error) {
      throw diskFailure(error, this.#action("sync"));
    }
    this.#persistedSeq = Math.max(this.#persistedSeq, upTo);
    // A seal that cannot be written, on a full device say, is tried again; without it the next open reads more.
    for (const segment of unsealed) await segment.seal().catch(() => {});
    if (!this.#checkpoint.isDue(live)) return;
    await this.#checkpoint.writeIfPossible(this.#segments.live, this.#checkpointPlace());
  }

  #nameLive(): void {
    if (this.#segments.isLiveNamed) return;
    const { disk, folder } = this.#options;
    disk.syncFolder(folder);
    this.#segments.isLiveNamed = true;
  }

  #checkpointPlace(): CheckpointPlace {
    const { live, keepFrom, lastSeq } = this.#segments;
    // Numbers that were passed over are not used again; those of records that may yet be lost are.
    const isPassedOver = this.#nextSeq > lastSeq + 1;
    const used = Math.max(live.synced.lastSeq + 1, this.#persistedSeq);
    const nextSeq = isPassedOver ? this.#nextSeq : used;
    return { generation: this.#generation, keepFrom, nextSeq };
  }

  /** Records below are not given any more; full segments of which nothing is left go. */
  async #forget(firstSeq: number): Promise<void> {
    if (firstSeq <= this.firstSeq && !this.#isForgettingUnnoted) return;
    this.#isForgettingUnnoted = true;
    const { disk, folder } = this.#options;
    const gone = this.#segments.keepOnly(firstSeq);
    this.#recent.clear();
    // First, so that nothing comes back after a crash; but a full device has room for it only afterwards.
    const isNoted = await this.#noteForgotten().then(() => true, () => false);
    await removeAllSealed(disk, gone);
    if (!isNoted) await this.#noteForgotten();
    disk.syncFolder(folder);
    this.#isForgettingUnnoted = false;
  }

  async #noteForgotten(): Promise<void> {
    await this.#checkpoint.write(this.#segments.live, this.#checkpointPlace());
    this.#options.disk.syncFolder(this.#options.folder);
  }

  async #rewrite(action: string, isThorough: boolean): Promise<void> {
    const { disk, clock, folder } = this.#options;
    const segments = this.#segments;
    const slices = new Slices(clock);
    const options: RewriteOptions = { disk, folder, segments, slices, action };
    if (isThorough) {
      for (const segment of segments.sealed) {
        if (segments.isUnclean(segment)) await rewriteSealed(options, segment);
      }
    }
    const { count, bytes } = segments.hiddenInLive;
    const { datBytes } = segments.live;
    const isWorthIt = count > 0 && (datBytes <= LAZY_BYTES || bytes * 2 >= datBytes);
    if (!isThorough && !isWorthIt) return;
    const onSwitched = (generation: number) => void (this.#generation = generation);
    if (!await rewriteLive(options, this.#generation, onSwitched)) return;
    this.#damagedKnown = 0;
    this.#damagedSeen.clear();
    for (const { content } of segments.sealed) this.#damagedKnown += content.damage.total;
    await this.#checkpoint.write(this.#segments.live, this.#checkpointPlace());
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#work.then(work);
    this.#work = turn.catch(() => {});
    return turn;
  }

  #place(timeNs: bigint, isInline: boolean): AppendPlace {
    if (timeNs !== this.#timeNs) {
      this.#timeNs = timeNs;
      this.#timeLow = Number(timeNs & 0xffff_ffffn);
      this.#timeHigh = Number(timeNs >> 32n);
    }
    const [timeLow, timeHigh] = [this.#timeLow, this.#timeHigh];
    return { firstSeq: this.#nextSeq, timeLow, timeHigh, isInline };
  }

  #assertOpen(action: string): void {
    if (this.#isClosed) throw new RedexError("closed", `${action}: file closed`);
  }

  #action(verb: string): string {
    return `Cannot ${verb} log "${this.#options.folder}"`;
  }
}
