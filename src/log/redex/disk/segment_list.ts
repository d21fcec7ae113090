/** The segments of a channel, oldest first: full ones, and the live one at the end. */
import type { RecordRun } from "../record_store.ts";
import { readRun } from "./read_run.ts";
import type { ReadProgress } from "./read_segment.ts";
import { readSegment } from "./read_segment.ts";
import { SEALED_OPEN_MAX } from "./limits.ts";
import { INDEX_BYTES } from "./record_format.ts";
import type { SealedSegment } from "./sealed_segment.ts";
import type { Segment } from "./segment.ts";
import { contentBytes, soundCount } from "./segment_content.ts";

/** What retention asks for; a record has to be kept by all of it. */
export interface KeepRule {
  readonly eventsMax?: number;
  readonly bytesMax?: number;
  /** Records older than this go; equal stays. */
  readonly notBeforeNs?: bigint;
}

/** All segments of a channel. */
export class SegmentList {
  /** False while a crash may find another live segment, because the name of this one was not synced. */
  isLiveNamed = true;
  readonly #sealed: SealedSegment[];
  #live: Segment;
  #sealedCount = 0;
  #sealedBytes = 0;
  #keepFrom: number;
  /** Sound records of the first segment that are forgotten, and their bytes. */
  #hiddenCount = 0;
  #hiddenBytes = 0;
  /** Segments in which a read met damage that was not known. */
  readonly #hurt = new WeakSet<Segment | SealedSegment>();

  /** @param keepFrom Records below are forgotten; full segments of which nothing is left are not given. */
  constructor(sealed: readonly SealedSegment[], live: Segment, keepFrom: number) {
    this.#sealed = [...sealed];
    this.#live = live;
    this.#keepFrom = keepFrom;
    for (const { content } of sealed) this.#count(content, 1);
    this.#hide();
  }

  get live(): Segment {
    return this.#live;
  }

  get sealed(): readonly SealedSegment[] {
    return this.#sealed;
  }

  get keepFrom(): number {
    return this.#keepFrom;
  }

  /** Records that are not forgotten. */
  get count(): number {
    return this.#sealedCount + this.#live.count - this.#hiddenCount;
  }

  /** 20 per record that is not forgotten, and its payload. */
  get bytes(): number {
    const liveBytes = this.#live.count * INDEX_BYTES + this.#live.heapBytes;
    return this.#sealedBytes + liveBytes - this.#hiddenBytes;
  }

  /** Number of the first record that is not forgotten; `undefined` without one. */
  get firstSeq(): number | undefined {
    if (this.count === 0) return undefined;
    const [first] = this.#sealed;
    const firstSeq = first?.content.firstSeq ?? this.#live.firstSeq;
    return this.#hiddenCount === 0 ? firstSeq : this.seqAt(0);
  }

  /** Number of the last record; −1 without one. */
  get lastSeq(): number {
    if (this.#live.count > 0) return this.#live.lastSeq;
    return this.#sealed[this.#sealed.length - 1]?.content.lastSeq ?? -1;
  }

  /** What of the live segment is forgotten: records, and bytes with their index. */
  get hiddenInLive(): { readonly count: number; readonly bytes: number } {
    if (this.#sealed.length > 0) return { count: 0, bytes: 0 };
    return { count: this.#hiddenCount, bytes: this.#hiddenBytes };
  }

  /** The live segment has become a full one; the new one takes its place. */
  addSealed(segment: SealedSegment, live: Segment): void {
    if (this.#hurt.has(this.#live)) this.#hurt.add(segment);
    this.#sealed.push(segment);
    this.#count(segment.content, 1);
    this.#live = live;
    this.#closeSome(segment);
  }

  /** Another segment with the same records takes the place of the live one. */
  replaceLive(live: Segment): void {
    this.#live = live;
    this.#hide();
  }

  /** The same for a full one. */
  replaceSealed(old: SealedSegment, fresh: SealedSegment): void {
    const index = this.#sealed.indexOf(old);
    this.#count(old.content, -1);
    this.#count(fresh.content, 1);
    if (soundCount(fresh.content) > 0) this.#sealed[index] = fresh;
    else this.#sealed.splice(index, 1);
    this.#hide();
  }

  /** Forgets records below a number; the full segments of which nothing is left are not in the list any more. */
  keepOnly(from: number): SealedSegment[] {
    const gone: SealedSegment[] = [];
    for (let first = this.#sealed[0]; first !== undefined; first = this.#sealed[0]) {
      if (first.content.lastSeq >= from) break;
      this.#count(first.content, -1);
      this.#sealed.shift();
      gone.push(first);
    }
    this.#keepFrom = Math.max(this.#keepFrom, from);
    this.#hide();
    return gone;
  }

  /** Reads records on from `progress.next` and below `to`. */
  read(to: number, progress: ReadProgress): void {
    progress.next = Math.max(progress.next, this.#keepFrom);
    for (let i = this.#indexOf(progress.next); i < this.#sealed.length; i++) {
      if (progress.recordsLeft <= 0 || progress.bytesLeft <= 0) return;
      const segment = this.#sealed[i] as SealedSegment;
      if (segment.content.firstSeq >= to) return;
      this.#readOne(segment, this.#open(segment), to, progress);
    }
    this.#readOne(this.#live, this.#live, to, progress);
  }

  /** Records from this number on as one piece; `undefined` when they have to be read one by one. */
  readRun(from: number, recordsMax: number): RecordRun | undefined {
    if (from < this.#keepFrom) return undefined;
    const sealed = this.#sealed[this.#indexOf(from)];
    return readRun(sealed === undefined ? this.#live : this.#open(sealed), from, recordsMax);
  }

  /** It holds what a copy would leave out, or has times that are not its own. */
  isUnclean(segment: Segment | SealedSegment): boolean {
    const { damage, times } = segment.content;
    return damage.total > 0 || times.unknownCount > 0 || this.#hurt.has(segment);
  }

  /** Number of the first record to keep; `undefined` when none is. */
  firstToKeep({ eventsMax, bytesMax, notBeforeNs }: KeepRule): number | undefined {
    const { count } = this;
    let at = 0;
    if (eventsMax !== undefined) at = Math.max(at, count - eventsMax);
    if (bytesMax !== undefined) {
      at = this.#hasDamage
        ? this.#firstWithin(bytesMax, at)
        : bisect(at, count, (place) => this.#bytesFrom(place) <= bytesMax);
    }
    if (notBeforeNs !== undefined) {
      at = bisect(at, count, (place) => {
        const { segment, rank } = this.#find(place);
        return segment.timeAt(rank) >= notBeforeNs;
      });
    }
    return at >= count ? undefined : this.seqAt(at);
  }

  /** Number of a record by its place among those that are not forgotten. */
  seqAt(place: number): number {
    const { segment, rank } = this.#find(place);
    return segment.seqAt(rank);
  }

  close(): void {
    for (const segment of this.#sealed) segment.close();
    this.#live.close();
  }

  #readOne(
    owner: Segment | SealedSegment,
    segment: Segment,
    to: number,
    progress: ReadProgress,
  ): void {
    const before = progress.damaged.length;
    readSegment(segment, to, progress);
    if (progress.damaged.length > before) this.#hurt.add(owner);
  }

  #find(
    place: number,
  ): { readonly segment: Segment; readonly rank: number; readonly index: number } {
    let rank = place + this.#hiddenCount;
    for (const [index, segment] of this.#sealed.entries()) {
      const count = soundCount(segment.content);
      if (rank < count) return { segment: this.#open(segment), rank, index };
      rank -= count;
    }
    return { segment: this.#live, rank, index: this.#sealed.length };
  }

  #bytesFrom(place: number): number {
    const { segment, rank, index } = this.#find(place);
    let bytes = (segment.count - rank) * INDEX_BYTES + segment.heapBytesFrom(rank);
    for (const { content } of this.#sealed.slice(index + 1)) bytes += contentBytes(content);
    if (index < this.#sealed.length) bytes += this.#live.count * INDEX_BYTES + this.#live.heapBytes;
    return bytes;
  }

  get #hasDamage(): boolean {
    return [...this.#sealed, this.#live].some(({ content }) => content.damage.total > 0);
  }

  /** The same as by bisection, record by record: between sound payloads lie such that do not count. */
  #firstWithin(bytesMax: number, from: number): number {
    let bytes = 0;
    let at = this.count;
    while (at > from) {
      const { segment, rank } = this.#find(at - 1);
      bytes += INDEX_BYTES + segment.heapLengthAt(rank);
      if (bytes > bytesMax) break;
      at -= 1;
    }
    return at;
  }

  #count(content: SealedSegment["content"], sign: number): void {
    this.#sealedCount += sign * soundCount(content);
    this.#sealedBytes += sign * contentBytes(content);
  }

  #hide(): void {
    const [first] = this.#sealed;
    this.#hiddenCount = 0;
    this.#hiddenBytes = 0;
    if ((first?.content.firstSeq ?? this.#live.firstSeq) >= this.#keepFrom) return;
    const segment = first === undefined ? this.#live : this.#open(first);
    const rank = segment.rankFrom(this.#keepFrom);
    this.#hiddenCount = rank;
    this.#hiddenBytes = rank * INDEX_BYTES + segment.heapBytes - segment.heapBytesFrom(rank);
  }

  /** First full segment that may hold a number. */
  #indexOf(seq: number): number {
    return bisect(0, this.#sealed.length, (at) => {
      return (this.#sealed[at] as SealedSegment).content.lastSeq >= seq;
    });
  }

  #open(segment: SealedSegment): Segment {
    if (!segment.isOpen) this.#closeSome(segment);
    return segment.open();
  }

  /** Closes full segments but the one that is needed, so that few are open. */
  #closeSome(needed: SealedSegment): void {
    let open = this.#sealed.filter((segment) => segment.isOpen && segment.isSealed);
    if (open.length < SEALED_OPEN_MAX) return;
    open = open.filter((segment) => segment !== needed);
    for (const segment of open.slice(0, open.length - SEALED_OPEN_MAX + 1)) segment.close();
  }
}

/** First of `from` ≤ at < `to` for which `isTrue`, where it is true for all behind the first; else `to`. */
export function bisect(from: number, to: number, isTrue: (at: number) => boolean): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isTrue(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
