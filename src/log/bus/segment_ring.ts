/**
 * The ring of one shard: events as bytes, one behind the other in segments, so that taking an event in costs a
 * copy of its bytes and no object, and handing a batch over costs nothing per event (`storage.md` 2.2).
 *
 * A ring of n slots takes n - 1 events, as the reference's does. It also has a limit in bytes, which the
 * reference's has not: a ring of a million slots is full at 64 MiB, not at a terabyte.
 */
const SEGMENT_EVENTS = 1_024;
const SEGMENT_BYTES = 64 * 1024;
/** Segments kept for reuse: what a busy shard has between two batches. */
const SPARE_MAX = 16;

/** Events that lie together; filled from the front, never moved. */
export interface Segment {
  readonly bytes: Uint8Array;
  /** Where each event ends; the first begins at 0. */
  readonly ends: Uint32Array;
  readonly tsHigh: Uint32Array;
  readonly tsLow: Uint32Array;
  /** Events in it. */
  count: number;
  /** Somebody may look at its bytes for as long as it likes: it is filled up, and never used again. */
  isHeld: boolean;
}

/** Some neighbouring events of a segment. */
export interface SegmentPart {
  readonly segment: Segment;
  readonly from: number;
  readonly to: number;
}

/** A queue of events that never holds more than it was made for. */
export class SegmentRing {
  readonly #slots: number;
  readonly #bytesMax: number;
  #segments: Segment[] = [];
  readonly #spare: Segment[] = [];
  /** First event of the first segment that is still here. */
  #head = 0;
  #length = 0;
  #bytes = 0;

  constructor(slots: number, bytesMax: number) {
    this.#slots = slots;
    this.#bytesMax = bytesMax;
  }

  /** Events in it. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of these events. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How full it is, by slots or by bytes, whichever is more: 0..1. */
  get fill(): number {
    return Math.max(this.#length / (this.#slots - 1), this.#bytes / this.#bytesMax);
  }

  /** True when an event of this many bytes has its place. An event larger than all of it fits when it is empty. */
  hasRoom(bytes: number): boolean {
    if (this.#length >= this.#slots - 1) return false;
    return this.#bytes + bytes <= this.#bytesMax || this.#length === 0;
  }

  /** Copies an event in; the caller asked for room. */
  push(raw: Uint8Array, tsHigh: number, tsLow: number): void {
    const segment = this.#writable(raw.length);
    const { count } = segment;
    const start = count === 0 ? 0 : segment.ends[count - 1] as number;
    segment.bytes.set(raw, start);
    segment.ends[count] = start + raw.length;
    segment.tsHigh[count] = tsHigh;
    segment.tsLow[count] = tsLow;
    segment.count = count + 1;
    this.#length += 1;
    this.#bytes += raw.length;
  }

  /** Nanoseconds of the oldest event; 0 when there is none. */
  get oldestTs(): number {
    const segment = this.#segments[0];
    if (segment === undefined || this.#length === 0) return 0;
    return (segment.tsHigh[this.#head] ?? 0) * 2 ** 32 + (segment.tsLow[this.#head] ?? 0);
  }

  /** Lets the oldest event go; there has to be one. */
  evict(): void {
    const segment = this.#segments[0] as Segment;
    this.#bytes -= bytesBetween(segment, this.#head, this.#head + 1);
    this.#length -= 1;
    this.#head += 1;
    this.#dropEmptyHead();
  }

  /**
   * Takes the oldest `count` events, or all there are. What was handed out is not written to before
   * {@linkcode SegmentRing.giveBack} says that nobody looks at it; a segment that has room takes more behind it.
   */
  take(count: number): SegmentPart[] {
    const parts: SegmentPart[] = [];
    let left = Math.min(count, this.#length);
    while (left > 0) {
      const segment = this.#segments[0] as Segment;
      const from = this.#head;
      const to = Math.min(segment.count, from + left);
      parts.push({ segment, from, to });
      left -= to - from;
      this.#length -= to - from;
      this.#bytes -= bytesBetween(segment, from, to);
      this.#head = to;
      this.#dropEmptyHead();
    }
    return parts;
  }

  /** Lets everything go; how many events that were. */
  clear(): number {
    const count = this.#length;
    this.#segments = [];
    this.#head = 0;
    this.#length = 0;
    this.#bytes = 0;
    return count;
  }

  /**
   * Says what became of parts that were taken, before others are taken.
   *
   * @param isFree Nobody looks at them any more.
   */
  giveBack(parts: readonly SegmentPart[], isFree: boolean): void {
    for (const { segment } of parts) {
      segment.isHeld ||= !isFree;
      if (segment.isHeld) continue;
      if (segment === this.#segments[0]) {
        // All before the head was given back by now.
        if (this.#head < segment.count) continue;
        segment.count = 0;
        this.#head = 0;
      } else if (this.#spare.length < SPARE_MAX && segment.bytes.length === SEGMENT_BYTES) {
        segment.count = 0;
        this.#spare.push(segment);
      }
    }
  }

  /** The last segment stays when it is empty: it may have room. */
  #dropEmptyHead(): void {
    const segment = this.#segments[0];
    if (segment === undefined || this.#head < segment.count) return;
    if (this.#segments.length === 1 && segment.count < SEGMENT_EVENTS) return;
    this.#segments.shift();
    this.#head = 0;
  }

  #writable(bytes: number): Segment {
    const last = this.#segments[this.#segments.length - 1];
    if (last !== undefined && last.count < SEGMENT_EVENTS) {
      const used = last.count === 0 ? 0 : last.ends[last.count - 1] as number;
      if (used + bytes <= last.bytes.length) return last;
    }
    const spare = bytes <= SEGMENT_BYTES ? this.#spare.pop() : undefined;
    const segment = spare ?? createSegment(Math.max(SEGMENT_BYTES, bytes));
    this.#segments.push(segment);
    this.#dropEmptyHead();
    return segment;
  }
}

/** Bytes of the events `from` ≤ i < `to`. */
export function bytesBetween(segment: Segment, from: number, to: number): number {
  if (to <= from) return 0;
  return (segment.ends[to - 1] ?? 0) - startOf(segment, from);
}

/** Where an event begins. */
export function startOf(segment: Segment, index: number): number {
  return index === 0 ? 0 : segment.ends[index - 1] ?? 0;
}

function createSegment(bytes: number): Segment {
  return {
    bytes: new Uint8Array(bytes),
    ends: new Uint32Array(SEGMENT_EVENTS),
    tsHigh: new Uint32Array(SEGMENT_EVENTS),
    tsLow: new Uint32Array(SEGMENT_EVENTS),
    count: 0,
    isHeld: false,
  };
}
