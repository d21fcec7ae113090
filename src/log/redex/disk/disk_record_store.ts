/**
 * Records of one channel in a folder of files, byte for byte as the reference keeps them
 * (`storage.md` 3), with full segments beside the live one (`docs/redex.md`).
 *
 * Appends and reads are synchronous; what takes time runs one after the other beside them. Memory holds a
 * few pages of the index and no payloads.
 */
import type { Clock, Disk } from "../../../base/mod.ts";
import { RedexError } from "../error.ts";
import type { RecordRead, RecordRun, RecordStore } from "../record_store.ts";
import { checkAppend } from "./check_append.ts";
import { Checkpoint, type CheckpointPlace } from "./checkpoint.ts";
import { diskFailure } from "./disk_failure.ts";
import {
  DAMAGED_SEEN_MAX,
  LAZY_BYTES,
  SEGMENT_RECORDS_MAX,
  SEQ_MAX,
  UNSYNCED_BYTES_MAX,
  UNSYNCED_RECORDS_MAX,
} from "./limits.ts";
import type { OpenedLog } from "./open_log.ts";
import type { ReadProgress } from "./read_segment.ts";
import { RecentRecords } from "./recent_records.ts";
import { INLINE_BYTES } from "./record_format.ts";
import { requireThere } from "./require_there.ts";
import { rewriteLive, type RewriteOptions, rewriteSealed } from "./rewrite_segment.ts";
import { rotateSegment } from "./rotate_segment.ts";
import { removeAllSealed } from "./sealed_folder.ts";
import type { SealedSegment } from "./sealed_segment.ts";
import type { AppendPlace, Segment } from "./segment.ts";
import { type KeepRule, SegmentList } from "./segment_list.ts";
import { Slices } from "./slices.ts";
import { UnsureMark } from "./unsure_mark.ts";

/** What a store on disk needs. */
export interface DiskStoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The channel's folder; made when there is none. */
  readonly folder: string;
  /** Payload bytes after which a segment is full: {@linkcode SEGMENT_BYTES_MAX} when left out, and at most. */
  readonly segmentBytesMax?: number;
}

/** The records of one channel; opened by `openDiskRecordStore`. */
export class DiskRecordStore implements RecordStore {
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
  readonly #unsure: UnsureMark;
  /** Full segments that a forgetting before a crash left behind. */
  readonly #goneAtOpen: readonly SealedSegment[];
  /** Something was forgotten, and no note on the device says so: a crash must not find less than the note needs. */
  #isForgettingUnnoted = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  /** Forgetting and rewriting, one after the other; most of it goes on beside other work on the files. */
  #maintenance: Promise<unknown> = Promise.resolve();
  readonly #stop = new AbortController();
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
    this.#unsure = new UnsureMark(options.disk, options.folder);
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
    if (!isFull && isMuchUnsynced(live)) this.#syncAside();
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

  readRun(from: number, recordsMax: number): RecordRun | undefined {
    try {
      return this.#segments.readRun(from, recordsMax);
    } catch {
      // Whoever reads one by one then is told of it.
      return undefined;
    }
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
    const action = this.#action("compact");
    const run = this.#maintenance.then(async () => {
      try {
        this.#assertOpen(action);
        await this.#forget(firstSeq, action);
        await this.#rewrite(action, isThorough);
      } catch (error) {
        throw diskFailure(error, action);
      }
    });
    this.#maintenance = run.catch(() => {});
    return run;
  }

  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    this.#isClosed = true;
    this.#stop.abort(new RedexError("closed", `${this.#action("compact")}: file closed`));
    const run = async () => {
      await this.#maintenance;
      await this.#inTurn(() => this.#closeNow());
    };
    return this.#closing = run();
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
    this.#syncAside();
  }

  /** Nobody waits for it, and a failure is told by the next call. */
  #syncAside(): void {
    if (this.#nextSync === undefined) this.sync().catch(() => {});
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
      this.#unsure.set();
      throw diskFailure(error, this.#action("sync"));
    }
    this.#unsure.clear();
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
  async #forget(firstSeq: number, action: string): Promise<void> {
    const { disk, folder } = this.#options;
    const forgotten = await this.#inTurn(async () => {
      await this.#syncAll();
      const { failure } = this;
      if (failure !== undefined) {
        throw new RedexError("io", `${action}: ${failure}`, {
          next: "close the log and open it again",
        });
      }
      const from = Math.min(firstSeq, this.#nextSeq);
      if (from <= this.firstSeq && !this.#isForgettingUnnoted) return undefined;
      this.#isForgettingUnnoted = true;
      const gone = this.#segments.keepOnly(from);
      this.#recent.clear();
      // First, so that nothing comes back after a crash; but a full device has room for it only afterwards.
      const isNoted = await this.#noteForgotten().then(() => true, () => false);
      return { gone, isNoted };
    });
    if (forgotten === undefined) return;
    await removeAllSealed(disk, forgotten.gone);
    if (!forgotten.isNoted) await this.#inTurn(() => this.#noteForgotten());
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
    const slices = new Slices(clock, this.#stop.signal);
    const inTurn = <T>(work: () => Promise<T>) => this.#inTurn(work);
    const options: RewriteOptions = { disk, folder, segments, slices, action, inTurn };
    const unclean = segments.sealed.filter((segment) => segments.isUnclean(segment));
    for (const segment of isThorough ? unclean : []) {
      if (segment.isSealed) await rewriteSealed(options, segment);
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
    await this.#inTurn(() => this.#checkpoint.write(segments.live, this.#checkpointPlace()));
  }

  async #closeNow(): Promise<void> {
    try {
      await this.#syncAll();
      await this.#checkpoint.writeIfPossible(this.#segments.live, this.#checkpointPlace());
    } finally {
      this.#segments.close();
    }
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

/** So much is not on the device that a crash, and a new segment, would cost much. */
function isMuchUnsynced({ records, datBytes, synced }: Segment): boolean {
  return datBytes - synced.datBytes >= UNSYNCED_BYTES_MAX ||
    records - synced.records >= UNSYNCED_RECORDS_MAX;
}
